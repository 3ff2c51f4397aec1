//! How large a value is as JSON, and how many objects it has, without writing it.

use async_graphql::Value;

/// The size of a value.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weight {
    /// How many objects there are.
    pub(crate) objects: usize,
    /// About how many bytes of JSON: exact but for numbers and for what is escaped in strings.
    pub(crate) bytes: usize,
}

/// How long a number is assumed to be.
const NUMBER_BYTES: usize = 8;

impl Weight {
    /// The weight of a value.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::bytes(4),
            Value::Boolean(value) => Self::bytes(if *value { 4 } else { 5 }),
            Value::Number(_) => Self::bytes(NUMBER_BYTES),
            Value::String(text) => Self::bytes(text.len() + 2),
            Value::Enum(word) => Self::bytes(word.len() + 2),
            Value::Binary(bytes) => Self::bytes(bytes.len() * 4),
            // Brackets, and a comma after each element.
            Value::List(elements) => elements.iter().map(|one| Self::of(one).and(1)).fold(Self::bytes(2), Self::plus),
            // The same, with quotes and a colon for each name.
            Value::Object(members) => {
                let members = members.iter().map(|(name, value)| Self::of(value).and(name.len() + 4));
                members.fold(Self { objects: 1, bytes: 2 }, Self::plus)
            }
        }
    }

    const fn bytes(bytes: usize) -> Self {
        Self { objects: 0, bytes }
    }

    const fn and(self, bytes: usize) -> Self {
        Self { bytes: self.bytes + bytes, ..self }
    }

    const fn plus(self, other: Self) -> Self {
        Self { objects: self.objects + other.objects, bytes: self.bytes + other.bytes }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::*;

    #[test]
    fn it_is_about_what_is_written() {
        let value = value!({ "a": [1, true, false, null], "b": { "c": "text", "d": [] }, "e": [{ "f": "é" }, {}] });
        let weight = Weight::of(&value);
        let written = serde_json::to_string(&value).unwrap().len();
        assert_eq!(weight.objects, 4);
        assert!(weight.bytes.abs_diff(written) < 16, "{} and {written}", weight.bytes);
    }
}
