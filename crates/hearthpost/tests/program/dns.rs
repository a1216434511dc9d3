use crate::help::{Demo, done, refused, run};

#[test]
fn records_wait_for_the_first_start_and_asking_for_them_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    for data in [&empty, &dir.path().join("missing")] {
        for command in ["records", "check"] {
            let (code, said) = refused(data, &["dns", command, "example.org"]);
            assert_eq!(code, 3, "{said}");
            assert!(said.contains("Start it once, its keys are made then"), "{said}");
        }
    }
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0);
}

#[test]
fn a_domain_that_only_the_settings_know_comes_with_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("data"), dir.path().join("hearthpost.toml"));
    std::fs::create_dir(&data).unwrap();
    let text = format!(
        "data_dir = \"{}\"\nhostname = \"mail.example.org\"\ndoors.smtp = [\"127.0.0.1:0\"]\ndomains = [\"example.org\"]\n",
        data.display()
    );
    std::fs::write(&file, text).unwrap();
    done(&data, &["status"]);
    let records = |domain| {
        refused(
            &data,
            &["dns", "records", domain, "--config", file.to_str().unwrap()],
        )
    };
    let (code, said) = records("Example.org");
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("name example.org, but no server has read them since. Start it once"),
        "{said}"
    );
    let (code, said) = records("example.net");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("hearthpost domain add example.net"), "{said}");
}

#[test]
fn a_stopped_demo_is_not_asked_for_settings_that_it_has_not() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &[]);
    let data = demo.dir.clone();
    let records = done(&data, &["dns", "records", "example.test"]);
    assert_eq!(records["host"], "mail.example.test");
    assert_eq!(demo.stop(), Some(0));
    let (code, said) = refused(&data, &["dns", "records", "example.test"]);
    assert_eq!(code, 3, "{said}");
    let start = format!("Start it: hearthpost demo --dir {}", data.display());
    assert!(said.contains(&start) && !said.contains("/etc/"), "{said}");
    let (_, said) = refused(&data, &["index", "status"]);
    assert!(said.contains(&start), "{said}");
    let status = run(&["status", "--data", data.to_str().unwrap()]);
    let said = String::from_utf8(status.stdout).unwrap();
    let start = start.replace("Start it: ", "Stopped. Start it with: ");
    assert!(said.starts_with(&format!("{start}\n")), "{said}");
}
