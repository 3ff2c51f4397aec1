//! The order in which a flow can be walked.

use std::collections::{BTreeSet, VecDeque};

use super::Flow;

impl Flow {
    /// The names of the steps: from the start on, breadth first, then those to which only agents lead, then whatever cannot be
    /// reached.
    pub fn walk(&self) -> Vec<&str> {
        let beginnings = [Some(&self.start), self.rating.as_ref()].into_iter().flatten().chain(self.steps.keys());
        let (mut known, mut order) = (BTreeSet::new(), Vec::new());
        for beginning in beginnings {
            let mut ahead = VecDeque::from([beginning.as_str()]);
            while let Some(name) = ahead.pop_front() {
                let Some((name, step)) = self.steps.get_key_value(name).filter(|_| known.insert(name)) else {
                    continue;
                };
                order.push(name.as_str());
                ahead.extend(step.targets().into_iter().map(|(_, target)| target));
            }
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn walk(start: &str, rating: Option<&str>, steps: &Value) -> Vec<String> {
        let flow = json!({ "start": start, "rating": rating, "steps": steps });
        let flow: Flow = serde_json::from_value(flow).unwrap();
        flow.walk().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn it_goes_from_the_start_step_by_step() {
        let route = json!({ "routes": [{ "when": { "equals": "no" }, "next": "a" }] });
        let steps = json!({
            "a": { "text": "A", "next": "z" },
            "b": { "text": "B", "answer": route, "next": "y" },
            "y": { "text": "Y", "next": "b" },
            "z": { "text": "Z", "final": true },
        });
        assert_eq!(walk("b", None, &steps), ["b", "y", "a", "z"]);
    }

    #[test]
    fn what_agents_lead_to_comes_behind_and_what_cannot_be_reached_last() {
        let last = json!({ "text": "Bye", "final": true });
        let steps = json!({ "c": last, "a": last, "d": { "text": "D", "next": "nowhere" }, "b": last });
        assert_eq!(walk("c", Some("b"), &steps), ["c", "b", "a", "d"]);
    }
}
