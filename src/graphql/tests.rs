//! The schema as a whole: it is committed, described, and what async-graphql promises is what it does.

#[test]
fn the_committed_schema_is_the_one_that_the_code_makes() {
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql")).unwrap();
    assert!(committed == super::sdl(), "schema.graphql is out of date: cargo run -- schema > schema.graphql");
}

#[test]
fn print_sdl() {
    std::fs::write("/tmp/api-schema.graphql", super::sdl()).unwrap();
}
