//! A naive model of a flow: it walks the JSON as a reader of the documentation would, and knows nothing of the product's types.
//!
//! The engine's own tests compare with it, too.

use std::collections::BTreeMap;

use serde_json::Value;

/// What the model remembers of a user.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    pub(crate) step: String,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) status: &'static str,
    pub(crate) finished: bool,
    /// What was said to the user, in order.
    pub(crate) said: Vec<String>,
    /// The steps that the user entered, each once.
    pub(crate) entered: Vec<String>,
    /// The steps that the user answered, each once.
    pub(crate) answered: Vec<String>,
    invalid: u64,
}

impl Model {
    /// A user who was sent the first step of an outbound conversation, or whose message began the conversation.
    pub(crate) fn new(flow: &Value, variables: BTreeMap<String, String>, begun: bool) -> Self {
        let start = text(&flow["start"]).to_owned();
        let mut model = Self {
            step: start.clone(),
            variables,
            status: "",
            finished: false,
            said: Vec::new(),
            entered: Vec::new(),
            answered: Vec::new(),
            invalid: 0,
        };
        if begun {
            model.go(flow, &start);
        } else {
            model.entered.push(start.clone());
            model.speak(&flow["steps"][&start]);
        }
        model
    }

    /// Whether the bot answers this user.
    pub(crate) fn listens(&self) -> bool {
        matches!(self.status, "" | "BOT" | "RATING")
    }

    /// The user writes a text, or presses a button with an id and this title.
    pub(crate) fn hear(&mut self, flow: &Value, words: Option<&str>, pressed: Option<&str>) {
        if !self.listens() {
            return;
        }
        let name = self.step.clone();
        let step = &flow["steps"][&name];
        self.status = if flow["rating"] == name.as_str() { "RATING" } else { "BOT" };
        let Some((value, next)) = judge(&name, step, words, pressed) else {
            let retry = &step["answer"]["retry"];
            if retry.is_null() {
                // Only an old button of another step comes here.
                return;
            }
            if self.invalid < retry["attempts"].as_u64().unwrap_or(0) {
                self.invalid += 1;
                return self.say(text(&retry["text"]));
            }
            return self.go(flow, text(&retry["next"]));
        };
        if let Some(value) = value {
            self.variables.insert(text(&step["answer"]["capture"]["variable"]).to_owned(), value);
        }
        self.accept(flow, &name, step, next.as_deref());
    }

    fn accept(&mut self, flow: &Value, name: &str, step: &Value, next: Option<&str>) {
        if !self.answered.iter().any(|known| known == name) {
            self.answered.push(name.to_owned());
        }
        if step["final"] == Value::Bool(true) {
            self.finished = true;
            self.status = "COMPLETED";
            if let Some(farewell) = step["farewell"].as_str() {
                self.say(farewell);
            }
        } else if let Some(next) = next {
            self.go(flow, next);
        } else {
            self.status = "AGENT";
        }
    }

    fn go(&mut self, flow: &Value, name: &str) {
        let step = &flow["steps"][name];
        name.clone_into(&mut self.step);
        self.invalid = 0;
        if !self.entered.iter().any(|known| known == name) {
            self.entered.push(name.to_owned());
        }
        self.status = if flow["rating"] == name { "RATING" } else { "BOT" };
        self.speak(step);
        if !step["answer"].is_null() || step["final"] == Value::Bool(true) {
            return;
        }
        match (step["next"].as_str(), step["jump"].as_str()) {
            (Some(next), _) => self.go(flow, next),
            (None, Some(_)) => self.status = "COMPLETED",
            (None, None) => self.status = "AGENT",
        }
    }

    fn speak(&mut self, step: &Value) {
        let template = step["template"]["name"].as_str();
        match (template, step["text"].as_str(), step["media"]["link"].as_str()) {
            (Some(template), _, _) => self.said.push(format!("template {template}")),
            (_, Some(text), _) => self.say(text),
            (_, None, Some(link)) => self.said.push(format!("file {link}")),
            (None, None, None) => {}
        }
    }

    fn say(&mut self, words: &str) {
        let mut words = words.to_owned();
        for (name, value) in &self.variables {
            words = words.replace(&format!("{{{{{name}}}}}"), value);
        }
        self.said.push(words);
    }
}

/// The captured value and the next step of a valid answer; `None` of an invalid one.
fn judge(
    name: &str,
    step: &Value,
    words: Option<&str>,
    pressed: Option<&str>,
) -> Option<(Option<String>, Option<String>)> {
    let choices = [&step["template"]["buttons"], &step["list"]["rows"], &step["buttons"]];
    let choices: Vec<&Value> = choices.into_iter().filter_map(Value::as_array).flatten().collect();
    let foreign = pressed.and_then(|id| id.split_once(':')).is_some_and(|(of, _)| of != name);
    if foreign {
        return None;
    }
    let id = |choice: &Value| text(if choice["id"].is_null() { &choice["title"] } else { &choice["id"] }).to_owned();
    let lower = |text: &str| text.trim().to_lowercase();
    let spoken = words.map(lower);
    let pressed =
        choices.iter().find(|choice| pressed.is_some_and(|pressed| pressed == format!("{name}:{}", id(choice))));
    let typed = choices.iter().find(|choice| {
        let (id, title) = (lower(&id(choice)), lower(text(&choice["title"])));
        spoken.as_ref().is_some_and(|spoken| *spoken == id || *spoken == title)
    });
    let chosen = pressed.or(typed).map(|choice| id(choice));
    let answer = &step["answer"];
    let value = if answer["capture"].is_null() {
        None
    } else {
        let spoken = words.map(str::trim).filter(|words| !words.is_empty());
        Some(match answer["capture"]["type"].as_str().unwrap_or("TEXT") {
            "NUMBER" => spoken.filter(|words| number(words).is_some())?.trim_start_matches('+').replace(',', "."),
            "EMAIL" => spoken.filter(|words| words.contains('@') && !words.contains(' '))?.to_owned(),
            "CHOICE" => chosen.clone()?,
            _ => spoken?.to_owned(),
        })
    };
    let routes = answer["routes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let matches = |when: &Value| {
        let spoken = spoken.as_deref().unwrap_or_default();
        when["button"].as_str().is_some_and(|button| chosen.as_deref() == Some(button))
            || when["equals"].as_str().is_some_and(|wanted| words.is_some() && lower(wanted) == spoken)
            || when["contains"].as_str().is_some_and(|part| spoken.contains(&lower(part)))
            || when["range"].as_object().is_some_and(|range| {
                let bound = |name: &str| range.get(name).and_then(Value::as_f64);
                number(spoken).is_some_and(|number| {
                    bound("min").is_none_or(|min| min <= number) && bound("max").is_none_or(|max| number <= max)
                })
            })
    };
    let route = routes.iter().find(|route| matches(&route["when"]));
    let next = route.map_or(&step["next"], |route| &route["next"]).as_str().map(str::to_owned);
    if next.is_none() && !routes.is_empty() { None } else { Some((value, next)) }
}

fn number(words: &str) -> Option<f64> {
    let digits = words.chars().all(|letter| letter.is_ascii_digit() || "+-.,".contains(letter));
    words.replace(',', ".").parse().ok().filter(|_| digits)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
