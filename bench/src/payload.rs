//! Webhooks as the provider sends them, of statuses that are all news.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bluetick::whatsapp::signature;
use serde_json::{Value, json};

use crate::Result;
use crate::drive::Load;
use crate::process::APP_SECRET;
use crate::requests::{self, Request};
use crate::seed::Loaded;
use crate::world::PHONE_NUMBER_ID;

/// When the statuses happened, in seconds: after everything that was loaded.
const FIRST_SECOND: u64 = 1_790_000_000;

/// What becomes of each message, in this order.
const STATUSES: [&str; 3] = ["sent", "delivered", "read"];

/// Facts of a version that nobody has reported yet. They can be used up.
#[derive(Clone)]
pub(crate) struct Facts {
    version: Loaded,
    next: Arc<AtomicU64>,
}

impl Facts {
    /// All facts of a version.
    pub(crate) fn of(version: Loaded) -> Self {
        Self { version, next: Arc::default() }
    }

    /// Requests of so many facts each.
    pub(crate) fn load(&self, path: &'static str, each: u64) -> Load {
        let facts = self.clone();
        Arc::new(move |_| facts.request(path, each).ok())
    }

    /// Whether none is left.
    pub(crate) fn used_up(&self) -> bool {
        self.next.load(Ordering::Relaxed) > self.version.users * 3
    }

    fn request(&self, path: &'static str, each: u64) -> Result<Request> {
        let first = self.next.fetch_add(each, Ordering::Relaxed);
        let statuses: Vec<_> = (first..first + each).map(|n| self.status(n)).collect();
        let body = webhook(&statuses);
        let signed = signature::sign(APP_SECRET, body.as_bytes()).ok_or("an empty secret")?;
        requests::webhook(path, body, &signed)
    }

    /// First every message is sent, then every one is delivered, then read.
    fn status(&self, n: u64) -> Value {
        let (user, step) = (n % self.version.users, n / self.version.users);
        let status = usize::try_from(step).ok().and_then(|step| STATUSES.get(step)).unwrap_or(&"read");
        let phone = format!("57{}", 3_000_000_000 + user);
        json!({
            "id": self.version.message(user), "status": status, "timestamp": (FIRST_SECOND + n / 1_000).to_string(),
            "recipient_id": phone,
            "pricing": {"billable": true, "pricing_model": "PMP", "type": "regular", "category": "marketing"},
        })
    }
}

fn webhook(statuses: &[Value]) -> String {
    let value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550001111", "phone_number_id": PHONE_NUMBER_ID},
        "statuses": statuses,
    });
    let entry = json!({"id": "102290129340398", "changes": [{"field": "messages", "value": value}]});
    json!({"object": "whatsapp_business_account", "entry": [entry]}).to_string()
}
