//! Reads settings: one layer over the other, each setting by its name.
//!
//! The compiled-in defaults name every setting and show its kind. So a layer is checked against them before it is laid on,
//! and a mistake is reported in the terms of where it was made: the file's key or the variable's name.

mod lines;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::Settings;
use super::nearest::nearest;

/// The defaults, which are also the documentation.
const DEFAULTS: &str = include_str!("../../../bluetick.toml");

/// What our variables begin with.
const PREFIX: &str = "BLUETICK_";
/// The variable that names the file. It is no setting.
const FILE_VARIABLE: &str = "BLUETICK_CONFIG";
/// The variable by which hosting platforms tell programs their database.
const DATABASE_VARIABLE: &str = "DATABASE_URL";
/// What the name of a variable ends in that gives a path to read a secret from.
const FILE_SUFFIX: &str = "_FILE";
/// The settings that can be read from a file of their own.
const SECRETS: [&str; 7] = [
    "database.url",
    "whatsapp.access_token",
    "whatsapp.app_secret",
    "whatsapp.verify_token",
    "auth.jwt_secret",
    "http.metrics_token",
    "client.token",
];

/// Why settings were refused.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The settings file is not TOML. The line itself is not shown: it may hold a secret.
    #[error("{} is not well-formed in line {line}: {message}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// Why.
        message: String,
    },
    /// A key or variable that means nothing.
    #[error("there is no setting {name}; did you mean {nearest}?")]
    Unknown {
        /// The key as written.
        name: String,
        /// The nearest that there is.
        nearest: String,
    },
    /// A value of the wrong kind.
    #[error("{name} must be {expected}")]
    Kind {
        /// The key or variable.
        name: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A secret is given both itself and as a file.
    #[error("{0} and {0}_FILE are both given")]
    Twice(String),
    /// A value out of its range.
    #[error("a setting is out of range")]
    Range(#[source] toml::de::Error),
}

/// Settings by their dotted names, such as `whatsapp.base_url`.
type Named = BTreeMap<String, Value>;

/// Variables of the environment, by name.
type Variables = BTreeMap<String, String>;

impl Settings {
    /// Reads the settings: defaults, then the file (`--config`, or else what `BLUETICK_CONFIG` names), then the environment.
    pub fn load(file: Option<&Path>) -> Result<Self, SettingsError> {
        Self::read(file, variables(std::env::vars_os())?)
    }

    /// The compiled-in defaults, with `overrides` by dotted name laid over them.
    pub fn with(overrides: &[(&str, &str)]) -> Result<Self, SettingsError> {
        Self::read(None, overrides.iter().map(|(name, value)| (variable_of(name), (*value).to_owned())).collect())
    }

    fn read(file: Option<&Path>, mut variables: Variables) -> Result<Self, SettingsError> {
        let named_file = variables.remove(FILE_VARIABLE).map(PathBuf::from);
        let mut settings = defaults()?;
        if let Some(path) = file.or(named_file.as_deref()) {
            lay(&mut settings, read_file(path)?)?;
        }
        for (name, value) in given(variables)? {
            lay_variable(&mut settings, &name, value)?;
        }
        Self::deserialize(nested(settings)).map_err(SettingsError::Range)
    }
}

/// The variables that concern us. Others may hold whatever they like.
fn variables(all: impl Iterator<Item = (OsString, OsString)>) -> Result<Variables, SettingsError> {
    let ours = all.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    ours.filter(|(name, _)| name.starts_with(PREFIX) || name == DATABASE_VARIABLE)
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(SettingsError::Kind { name, expected: "UTF-8" }),
        })
        .collect()
}

/// Resolves variables that stand for another one: files of secrets, and the platform's name for the database.
fn given(mut variables: Variables) -> Result<Variables, SettingsError> {
    if let Some(url) = variables.remove(DATABASE_VARIABLE) {
        variables.entry(variable_of("database.url")).or_insert(url);
    }
    for name in secrets(&variables) {
        let Some(path) = variables.remove(&format!("{name}{FILE_SUFFIX}")) else { continue };
        let secret = read_text(Path::new(&path))?.trim_end_matches(['\r', '\n']).to_owned();
        if variables.insert(name.clone(), secret).is_some() {
            return Err(SettingsError::Twice(name));
        }
    }
    Ok(variables)
}

/// The variables that may give a secret by the path of a file.
fn secrets(variables: &Variables) -> Vec<String> {
    let of_lines = variables.keys().filter_map(|name| name.strip_suffix(FILE_SUFFIX));
    let of_lines = of_lines.filter(|name| lines::token_of_variable(name).is_some()).map(str::to_owned);
    SECRETS.map(variable_of).into_iter().chain(of_lines).collect()
}

fn defaults() -> Result<Named, SettingsError> {
    let table = DEFAULTS.parse().map_err(|error| malformed(Path::new("bluetick.toml"), DEFAULTS, &error))?;
    Ok(flat(table))
}

fn read_file(path: &Path) -> Result<Named, SettingsError> {
    let text = read_text(path)?;
    text.parse().map(flat).map_err(|error| malformed(path, &text, &error))
}

fn malformed(path: &Path, text: &str, error: &toml::de::Error) -> SettingsError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
    SettingsError::Malformed { path: path.to_owned(), line, message: error.message().to_owned() }
}

fn read_text(path: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(path).map_err(|source| SettingsError::File { path: path.to_owned(), source })
}

/// A file's settings by their dotted names. A key in place of a section, or a table that is too deep, keeps its name and is unknown.
fn flat(table: Table) -> Named {
    let settings = table.into_iter().flat_map(|(key, value)| entries(key, value));
    settings
        .flat_map(|(name, value)| if name == lines::SECTION { of_lines(name, value) } else { vec![(name, value)] })
        .collect()
}

/// The settings of single lines, which are two levels deeper than all others.
fn of_lines(name: String, lines: Value) -> Vec<(String, Value)> {
    entries(name, lines).into_iter().flat_map(|(name, line)| entries(name, line)).collect()
}

/// What a table contains, by dotted names; any other value is itself.
fn entries(name: String, value: Value) -> Vec<(String, Value)> {
    match value {
        Value::Table(table) => table.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)).collect(),
        value => vec![(name, value)],
    }
}

fn nested(settings: Named) -> Table {
    let mut table = Table::new();
    for (name, value) in settings {
        match (lines::line_of(&name), name.split_once('.')) {
            (Some(line), _) => insert(&mut table, &["whatsapp", "lines", line, "access_token"], value),
            (None, Some((section, key))) => insert(&mut table, &[section, key], value),
            (None, None) => insert(&mut table, &[&name], value),
        }
    }
    table
}

fn insert(table: &mut Table, path: &[&str], value: Value) {
    match path {
        [] => {}
        [key] => {
            table.insert((*key).to_owned(), value);
        }
        [section, rest @ ..] => {
            if let Value::Table(section) = table.entry(*section).or_insert_with(|| Value::Table(Table::new())) {
                insert(section, rest, value);
            }
        }
    }
}

/// Lays a file's settings over those below.
fn lay(settings: &mut Named, file: Named) -> Result<(), SettingsError> {
    for (name, value) in file {
        let kind = match settings.get(&name) {
            Some(below) => below.clone(),
            None if lines::line_of(&name).is_some() => Value::String(String::new()),
            None => return Err(unknown(&name, settings.keys(), lines::SECTION, lines::TOKEN)),
        };
        if !kind.same_type(&value) {
            return Err(SettingsError::Kind { name, expected: expected(&kind) });
        }
        settings.insert(name, value);
    }
    Ok(())
}

/// Lays a variable over the settings below; its kind is that of the setting.
fn lay_variable(settings: &mut Named, variable: &str, text: String) -> Result<(), SettingsError> {
    let names: BTreeMap<String, String> = settings.keys().map(|name| (variable_of(name), name.clone())).collect();
    let Some(name) = names.get(variable).cloned().or_else(|| lines::token_of_variable(variable)) else {
        return Err(unknown(variable, names.keys(), lines::VARIABLE_PREFIX, lines::TOKEN_VARIABLE));
    };
    let parsed = match settings.get(&name) {
        Some(Value::Integer(_)) => text.parse().ok().map(Value::Integer),
        Some(Value::Boolean(_)) => text.parse().ok().map(Value::Boolean),
        _ => Some(Value::String(text)),
    };
    let expected = settings.get(&name).map_or("a string", expected);
    settings.insert(name, parsed.ok_or_else(|| SettingsError::Kind { name: variable.to_owned(), expected })?);
    Ok(())
}

/// What may have been meant by a name: where it begins as those of lines do, theirs.
fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a String>, of_lines: &str, of_line: &str) -> SettingsError {
    let nearest = match name.strip_prefix(of_lines) {
        Some(_) => of_line.to_owned(),
        None => nearest(name, known).cloned().unwrap_or_default(),
    };
    SettingsError::Unknown { name: name.to_owned(), nearest }
}

/// The variable of a setting: `whatsapp.base_url` is `BLUETICK_WHATSAPP_BASE_URL`.
fn variable_of(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('.', "_").to_uppercase())
}

const fn expected(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "a whole number",
        Value::Boolean(_) => "true or false",
        _ => "a string",
    }
}

#[cfg(test)]
mod tests;
