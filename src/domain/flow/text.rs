//! Texts in which `{{name}}` stands for the value of a variable.

use crate::domain::merge::Variables;

/// The names of the variables that occur in a text.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    parts(text).filter_map(|(_, name)| name)
}

/// The text with each `{{name}}` replaced by the variable's value, or by nothing if there is none, cut to so many characters.
/// Values are not expanded again, so nobody can make a bot say what is none of their business.
pub(super) fn fill(text: &str, variables: &Variables, characters: usize) -> String {
    let mut filled = String::new();
    for (before, name) in parts(text) {
        filled.push_str(before);
        if let Some(variable) = name.and_then(|name| variables.get(name)) {
            filled.push_str(&variable.value);
        }
        if let Some((end, _)) = filled.char_indices().nth(characters) {
            filled.truncate(end);
            break;
        }
    }
    filled
}

/// The text in pieces, each with the name behind it; the last has none.
fn parts(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let named = text.split_once("{{").and_then(|(before, after)| Some((before, after.split_once("}}")?)));
        let Some((before, (name, behind))) = named else {
            rest = None;
            return Some((text, None));
        };
        rest = Some(behind);
        Some((before, Some(name.trim())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::merge::VariableValue;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let value = |value: &str| VariableValue { at: Timestamp::MIN, value: value.to_owned() };
        pairs.iter().map(|&(name, text)| (name.to_owned(), value(text))).collect()
    }

    #[test]
    fn names_are_replaced_and_values_are_not_expanded_again() {
        let known = variables(&[("name", "Ana"), ("city", "Cali {{name}}")]);
        assert_eq!(fill("Hi {{ name }} from {{city}}!", &known, 100), "Hi Ana from Cali {{name}}!");
        assert_eq!(fill("Hi {{who}}.", &known, 100), "Hi .");
        assert_eq!(fill("open {{ end", &known, 100), "open {{ end");
        assert_eq!(names("{{a}} {{ b }} {{").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(fill("ñ{{x}}ñ", &variables(&[("x", "😀😀")]), 3), "ñ😀😀");
    }
}
