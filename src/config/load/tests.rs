//! Tests of the settings' layers.

use std::time::Duration;

use super::*;

fn read(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("settings.toml");
    if let Some(text) = file {
        std::fs::write(&path, text).unwrap();
    }
    let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Settings::read(file.map(|_| path.as_path()), variables)
}

fn refusal(file: Option<&str>, variables: &[(&str, &str)]) -> String {
    read(file, variables).unwrap_err().to_string()
}

#[test]
fn the_defaults_are_good_settings() {
    let settings = read(None, &[]).unwrap();
    assert_eq!(settings.listen, "127.0.0.1:8080");
    assert_eq!(settings.database_url().expose(), "sqlite://data/bluetick.db?mode=rwc");
    assert_eq!(settings.whatsapp.app_secret, None);
    assert_eq!(settings.parking.statuses, Duration::from_hours(7 * 24));
}

#[test]
fn every_setting_of_the_default_file_is_explained() {
    let mut explained = false;
    for line in DEFAULTS.lines().skip_while(|line| !line.is_empty()) {
        assert!(explained || !line.contains(" = "), "nothing says what this means: {line}");
        explained = line.starts_with("# ");
    }
}

#[test]
fn a_file_changes_what_it_names_and_nothing_else() {
    let settings = read(Some("[http]\nrequest_timeout_seconds = 5\n"), &[]).unwrap();
    assert_eq!(settings.http.request_timeout, Duration::from_secs(5));
    assert_eq!(settings.http.webhook_body_bytes.get(), 4 * 1_024 * 1_024);
}

#[test]
fn the_environment_goes_before_the_file() {
    let variables = [("BLUETICK_LISTEN", "0.0.0.0:1"), ("BLUETICK_WHATSAPP_BASE_URL", "http://127.0.0.1:9000/v25.0")];
    let settings = read(Some("listen = '[::]:2'\ndata_dir = 'there'\n"), &variables).unwrap();
    assert_eq!(settings.listen, "0.0.0.0:1");
    assert_eq!(settings.data_dir, Path::new("there"));
    assert_eq!(settings.whatsapp.base_url, "http://127.0.0.1:9000/v25.0");
}

#[test]
fn the_first_underscore_is_not_taken_for_a_section_where_there_is_none() {
    assert_eq!(read(None, &[("BLUETICK_DATA_DIR", "here")]).unwrap().data_dir, Path::new("here"));
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest() {
    assert_eq!(
        refusal(Some("[whatsapp]\nbase_uri = ''\n"), &[]),
        "there is no setting whatsapp.base_uri; did you mean whatsapp.base_url?"
    );
    assert_eq!(
        refusal(None, &[("BLUETICK_WHATSAPP_BASEURL", "")]),
        "there is no setting BLUETICK_WHATSAPP_BASEURL; did you mean BLUETICK_WHATSAPP_BASE_URL?"
    );
    assert!(refusal(Some("[http.more]\nlisten = 1\n"), &[]).starts_with("there is no setting http.more"));
    assert!(refusal(Some("[listen]\nport = 1\n"), &[]).starts_with("there is no setting listen.port"));
    assert!(refusal(None, &[("BLUETICK_LISTEN_FILE", "")]).starts_with("there is no setting BLUETICK_LISTEN_FILE"));
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_without_being_shown() {
    assert_eq!(refusal(Some("[live]\npoll_ms = '50'\n"), &[]), "live.poll_ms must be a whole number");
    assert_eq!(refusal(Some("[whatsapp]\napp_secret = 5\n"), &[]), "whatsapp.app_secret must be a string");
    assert_eq!(refusal(None, &[("BLUETICK_LIVE_POLL_MS", "soon")]), "BLUETICK_LIVE_POLL_MS must be a whole number");
    assert!(refusal(Some("http = 1\n"), &[]).starts_with("there is no setting http;"));
}

#[test]
fn a_value_out_of_its_range_is_refused() {
    for key in ["LIVE_POLL_MS", "DATABASE_CONNECTIONS", "HTTP_GRAPHQL_BODY_BYTES", "PARKING_STATUSES_DAYS"] {
        for value in ["0", "-1"] {
            let refused = read(None, &[(&format!("BLUETICK_{key}"), value)]);
            assert!(matches!(refused, Err(SettingsError::Range(_))), "{key} = {value}");
        }
    }
    assert!(read(None, &[("BLUETICK_PARKING_STATUSES_DAYS", "3651")]).is_err());
    assert!(read(None, &[("BLUETICK_LOG_FORMAT", "xml")]).is_err());
}

#[test]
fn a_file_that_is_named_must_be_there_and_well_formed() {
    let missing = [("BLUETICK_CONFIG", "/nowhere/bluetick.toml")];
    assert_eq!(refusal(None, &missing), "cannot read /nowhere/bluetick.toml");
    assert!(matches!(read(Some("listen ="), &[]), Err(SettingsError::Malformed { .. })));
}

#[test]
fn a_secret_can_be_read_from_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    std::fs::write(&path, "swordfish\n").unwrap();
    let variable = ("BLUETICK_WHATSAPP_APP_SECRET_FILE", path.to_str().unwrap());

    let settings = read(None, &[variable]).unwrap();
    assert_eq!(settings.whatsapp.app_secret.as_ref().unwrap().expose(), "swordfish");
    assert!(!format!("{settings:?}").contains("swordfish"));

    assert_eq!(
        refusal(None, &[variable, ("BLUETICK_WHATSAPP_APP_SECRET", "other")]),
        "BLUETICK_WHATSAPP_APP_SECRET and BLUETICK_WHATSAPP_APP_SECRET_FILE are both given"
    );
    assert_eq!(
        refusal(None, &[("BLUETICK_WHATSAPP_VERIFY_TOKEN_FILE", "/nowhere/token")]),
        "cannot read /nowhere/token"
    );
}

#[test]
fn the_platforms_name_for_the_database_counts_where_ours_is_not_given() {
    let theirs = ("DATABASE_URL", "postgres://there");
    let url = |variables: &[_]| read(None, variables).unwrap().database_url().expose().to_owned();
    assert_eq!(url(&[theirs]), "postgres://there");
    assert_eq!(url(&[theirs, ("BLUETICK_DATABASE_URL", "postgres://here")]), "postgres://here");
}

#[test]
fn variables_of_others_are_left_alone() {
    let all = [("PATH", "/bin"), ("BLUETICK_LISTEN", "x"), ("DATABASE_URL", "y")];
    let ours = variables(all.into_iter().map(|(name, value)| (name.into(), value.into()))).unwrap();
    assert_eq!(ours.into_keys().collect::<Vec<_>>(), ["BLUETICK_LISTEN", "DATABASE_URL"]);
}

#[test]
fn a_line_may_have_an_access_token_of_its_own() {
    let file = "[whatsapp]\naccess_token = 'common'\n[whatsapp.lines.1000]\naccess_token = 'one'\n\
                [whatsapp.lines.'odd id']\naccess_token = 'two'\n[whatsapp.lines.1002]\naccess_token = ''\n";
    let given = [("BLUETICK_WHATSAPP_LINES_1001_ACCESS_TOKEN", "three")];
    let settings = read(Some(file), &given).unwrap();
    assert_eq!(settings.whatsapp.access_token.as_ref().unwrap().expose(), "common");
    let tokens = settings.whatsapp.line_tokens();
    let tokens: Vec<_> = tokens.iter().map(|(line, token)| (line.as_str(), token.expose())).collect();
    assert_eq!(tokens, [("1000", "one"), ("1001", "three"), ("odd id", "two")]);
    let shown = format!("{settings:?}");
    assert!(!["common", "'one", "\"one", "two", "three"].iter().any(|token| shown.contains(token)), "{shown}");
}

#[test]
fn the_environment_goes_before_the_file_for_a_line_too() {
    let file = "[whatsapp.lines.1000]\naccess_token = 'file'\n";
    let token = |given: &[(&str, &str)]| {
        let tokens = read(Some(file), given).unwrap().whatsapp.line_tokens();
        tokens.get("1000").unwrap().expose().to_owned()
    };
    assert_eq!(token(&[]), "file");
    assert_eq!(token(&[("BLUETICK_WHATSAPP_LINES_1000_ACCESS_TOKEN", "variable")]), "variable");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    std::fs::write(&path, "secret file\n").unwrap();
    let by_path = ("BLUETICK_WHATSAPP_LINES_1000_ACCESS_TOKEN_FILE", path.to_str().unwrap());
    assert_eq!(token(&[by_path]), "secret file");
    assert_eq!(
        refusal(None, &[by_path, ("BLUETICK_WHATSAPP_LINES_1000_ACCESS_TOKEN", "variable")]),
        "BLUETICK_WHATSAPP_LINES_1000_ACCESS_TOKEN and BLUETICK_WHATSAPP_LINES_1000_ACCESS_TOKEN_FILE are both given"
    );
}

#[test]
fn whatever_else_is_set_for_a_line_is_refused_without_showing_it() {
    let of_line = "whatsapp.lines.<phone number id>.access_token";
    for (file, name) in [
        ("[whatsapp.lines.1000]\naccess_tokens = 'EAAB'\n", "whatsapp.lines.1000.access_tokens"),
        ("[whatsapp.lines.1000.more]\naccess_token = 'EAAB'\n", "whatsapp.lines.1000.more"),
        ("[whatsapp.lines]\naccess_token = 'EAAB'\n", "whatsapp.lines.access_token"),
        ("[whatsapp.lines.'']\naccess_token = 'EAAB'\n", "whatsapp.lines..access_token"),
        ("[whatsapp]\nlines = 'EAAB'\n", "whatsapp.lines"),
    ] {
        assert_eq!(refusal(Some(file), &[]), format!("there is no setting {name}; did you mean {of_line}?"));
    }
    for file in ["[whatsapp.lines.1000]\naccess_token = 7\n", "[whatsapp.lines.1000.access_token]\nx = 'EAAB'\n"] {
        assert_eq!(refusal(Some(file), &[]), "whatsapp.lines.1000.access_token must be a string");
    }
    for variable in ["BLUETICK_WHATSAPP_LINES_1000_APP_SECRET", "BLUETICK_WHATSAPP_LINES__ACCESS_TOKEN"] {
        assert_eq!(
            refusal(None, &[(variable, "EAAB")]),
            format!(
                "there is no setting {variable}; did you mean BLUETICK_WHATSAPP_LINES_<PHONE NUMBER ID>_ACCESS_TOKEN?"
            )
        );
    }
}

#[test]
fn words_are_separated_by_commas_in_the_file_and_in_the_environment() {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let settings = read(None, &[]).unwrap().contacts;
    for (listed, word) in
        [(&settings.stop_words, "STOP"), (&settings.stop_words, "BAJA"), (&settings.resume_words, "START")]
    {
        assert!(listed.contains(&word.to_owned()), "{word}");
    }
    let given = [("BLUETICK_CONTACTS_STOP_WORDS", "genug,, nie wieder ,")];
    let settings = read(Some("[contacts]\nresume_words = ''\nstop_words = 'x'\n"), &given).unwrap().contacts;
    assert_eq!((settings.stop_words, settings.resume_words), (words(&["genug", "nie wieder"]), Vec::new()));
}
