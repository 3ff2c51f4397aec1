//! The shape of the source: modules import only what is above them, and libraries are named only where they belong.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::trial::tests;

tests! {
    without_database: [
        a_module_imports_only_what_stands_above_it,
        a_module_uses_only_the_libraries_meant_for_it,
        the_domain_waits_for_nothing,
        files_begin_with_what_they_are,
    ],
}

/// The modules of `src`: each imports those above it.
const ORDER: [&str; 14] = [
    "domain",
    "config",
    "telemetry",
    "rounds",
    "storage",
    "whatsapp",
    "live",
    "recorder",
    "dispatch",
    "auth",
    "graphql",
    "http",
    "app",
    "cli",
];

/// Libraries, and the only modules that name them.
const LIBRARIES: [(&str, &[&str]); 23] = [
    ("entity", &["storage"]),
    ("migration", &["storage"]),
    ("sea_orm", &["storage"]),
    ("sqlx", &["storage"]),
    ("phonenumber", &["domain"]),
    ("governor", &["dispatch", "graphql"]),
    // The demonstration is a client of its own server.
    ("reqwest", &["whatsapp", "cli"]),
    ("apollo_compiler", &["graphql"]),
    ("jsonwebtoken", &["auth"]),
    ("dataloader", &["graphql"]),
    ("async_graphql", &["graphql", "http"]),
    ("async_graphql_axum", &["http"]),
    ("axum", &["http", "whatsapp"]),
    ("clap", &["cli"]),
    ("csv_core", &["http"]),
    ("hyper", &["http"]),
    ("hyper_util", &["http"]),
    ("indicatif", &["cli"]),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_otlp", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("tokio_tungstenite", &["http", "cli"]),
    ("tracing_opentelemetry", &["telemetry"]),
];

/// A file longer than this says first what it is.
const LINES_THAT_EXPLAIN_THEMSELVES: usize = 100;

async fn a_module_imports_only_what_stands_above_it() {
    let place = |module: &str| ORDER.iter().position(|one| *one == module);
    let mut wrong = Vec::new();
    for file in sources() {
        let Some(own) = place(&file.module) else { continue };
        for (line, imported) in file.imports().filter(|(_, imported)| *imported != file.module) {
            let imported_place = place(imported);
            assert!(imported_place.is_some(), "{}:{line} imports {imported}, which has no place", file.path);
            if imported_place > Some(own) {
                wrong.push(format!("{}:{line}: {} imports {imported}, which stands below it", file.path, file.module));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn a_module_uses_only_the_libraries_meant_for_it() {
    let mut wrong = Vec::new();
    for file in sources().into_iter().filter(|file| !file.path.contains("tests")) {
        for (library, modules) in LIBRARIES.iter().filter(|(_, modules)| !modules.contains(&file.module.as_str())) {
            wrong.extend(
                file.lines_with(&format!("{library}::"))
                    .map(|line| format!("{}:{line}: {library} is for {} only", file.path, modules.join(" and "))),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn the_domain_waits_for_nothing() {
    let mut wrong = Vec::new();
    for file in sources().into_iter().filter(|file| file.module == "domain") {
        for word in ["async ", ".await", "tokio", "futures_util", "std::fs", "std::net", "std::io"] {
            wrong.extend(file.lines_with(word).map(|line| format!("{}:{line}: {word}", file.path)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn files_begin_with_what_they_are() {
    let must =
        |file: &Source| file.path.ends_with("mod.rs") || file.text.lines().count() > LINES_THAT_EXPLAIN_THEMSELVES;
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|file| must(file) && !file.text.starts_with("//!"))
        .map(|file| file.path)
        .collect();
    assert!(silent.is_empty(), "these do not begin with //!:\n{}", silent.join("\n"));
}

/// A source file of the product.
struct Source {
    /// Its path below `src`.
    path: String,
    /// The first part of its path.
    module: String,
    text: String,
}

impl Source {
    /// The modules that are named from the root, and the lines that name them: `crate::one::…`, `crate::{one, two::…}`.
    fn imports(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code().flat_map(|(line, code)| {
            let paths = code.split("crate::").skip(1).flat_map(|rest| match rest.strip_prefix('{') {
                Some(list) => list.split('}').next().unwrap_or_default().split(',').collect(),
                None => vec![rest],
            });
            paths.map(move |path| (line, first_name(path.trim())))
        })
    }

    fn lines_with<'s>(&'s self, word: &'s str) -> impl Iterator<Item = usize> {
        let is_word = move |code: &str| {
            code.match_indices(word).any(|(at, _)| {
                !code[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':')
            })
        };
        self.code().filter(move |(_, code)| is_word(code)).map(|(line, _)| line)
    }

    /// Lines that are no comment, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn first_name(path: &str) -> &str {
    path.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or_default()
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let files: Vec<_> = files.into_iter().map(|path| Source::read(&root, &path)).collect();
    assert!(files.len() > ORDER.len(), "the sources are not where they are looked for");
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

impl Source {
    fn read(root: &Path, path: &Path) -> Self {
        let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        let module = name.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
        Self { path: name, module, text: fs::read_to_string(path).unwrap() }
    }
}
