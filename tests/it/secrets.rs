//! Secrets of the environment: no value of theirs gets anywhere, and where one is typed it is refused.

use std::process::Output;

use serde_json::Value;

use crate::project::{Project, both};
use crate::running::{commands, stage};

/// Planted in the environment: the hub's token, an address, and a word that only the user knows to be secret.
const PLANTED: [(&str, &str); 3] = [
    ("HF_TOKEN", "hf_PlantedTokenOfTheTest"),
    ("CHAT_WEBHOOK_URL", "https://chat.example/PlantedPathOfTheTest"),
    ("PIN_OF_MINE", "PlantedPinOfTheTest"),
];

fn with_secrets(project: &Project, arguments: &[&str]) -> Output {
    let mut command = project.command(arguments);
    command.envs(PLANTED).env("COMPT_SECRETS", "PIN_OF_MINE").output().unwrap()
}

/// Asserts that no planted value is in `bytes`.
fn clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for (name, value) in PLANTED {
        assert!(!text.contains(value), "{name} in {what}:\n{text}");
    }
}

#[test]
fn no_secret_gets_into_the_cache_the_results_or_what_is_printed() {
    let leaky = "echo \"$HF_TOKEN and $CHAT_WEBHOOK_URL\"; echo \"$PIN_OF_MINE\" >&2; ";
    let names = ", environment: [PATH, HF_TOKEN, CHAT_WEBHOOK_URL], secrets: [PIN_OF_MINE]";
    let project = Project::new();
    project.write(
        "pipelines/c.yaml",
        &format!(
            "name: c\nstages:\n{}{}{}",
            stage("a", &format!("{leaky} echo good > out"), &format!("{names}, publish: true")),
            stage("b", &format!("{leaky} exit 3"), names),
            stage("c", "cat inputs/b/out > out", ", from: b"),
        ),
    );
    // The real worker, behind one that writes down what it is given.
    let worker = std::path::Path::new(env!("CARGO_BIN_EXE_compt")).with_file_name("compt-worker");
    let wrapper = project.path("wrapper");
    let script = format!("#!/bin/sh\nenv > {}/worker.env\nexec {}\n", project.path("").display(), worker.display());
    // Another process writes it: what this one holds open for writing can't be executed.
    let written = std::process::Command::new("sh")
        .args(["-c", "printf %s \"$1\" > \"$0\" && chmod +x \"$0\""])
        .arg(&wrapper)
        .arg(script)
        .status();
    assert!(written.unwrap().success());
    let small = ["--set", "task=[ripe]", "--set", "seed=[1]", "--set", "epochs=1"];
    let toy = project
        .command(&[&["run", "pipelines/toy.yaml"], &small[..]].concat())
        .envs(PLANTED)
        .env("COMPT_SECRETS", "PIN_OF_MINE")
        .env("COMPT_WORKER", &wrapper)
        .output()
        .unwrap();
    assert!(toy.status.success(), "{}", both(&toy));
    let environment = project.read("worker.env");
    assert!(environment.contains("OMP_NUM_THREADS=1"), "{environment}");
    clean("the worker's environment", environment.as_bytes());
    for (name, _) in PLANTED {
        assert!(!environment.contains(&format!("{name}=")), "{name} in {environment}");
    }

    let hook = format!("cat > noted.json; : {}", PLANTED[1].1);
    for arguments in [
        &["run", "pipelines/c.yaml", "--notify", &hook][..],
        &["run", "pipelines/c.yaml", "--json"],
        &["plan", "pipelines/c.yaml", "--json"],
        &["why", "pipelines/c.yaml", "b"],
        &["show", "pipelines/c.yaml", "a", "--json"],
        &["show", "pipelines/c.yaml", "a", "--log"],
        &["show", "pipelines/c.yaml", "b", "--log"],
        &["runs", "last"],
        &["report", "pipelines/c.yaml"],
        // Errors outside of stages: the value stands in the name of a file.
        &["run", "pipelines/c.yaml", "--set", "hf_PlantedTokenOfTheTest"],
        &["run", "pipelines/c.yaml", "--jobs", "hf_PlantedTokenOfTheTest", "--json"],
        &["run", "pipelines/hf_PlantedTokenOfTheTest.yaml"],
        &["plan", "pipelines/hf_PlantedTokenOfTheTest.yaml", "--json"],
        &["run", "pipelines/c.yaml", "--mirror", "PlantedPinOfTheTest"],
        &["show", "pipelines/c.yaml", "hf_PlantedTokenOfTheTest"],
    ] {
        let output = with_secrets(&project, arguments);
        clean(&format!("{arguments:?}"), both(&output).as_bytes());
    }
    assert!(project.read("noted.json").contains("\"outcome\":\"failed\""));
    clean("the note", project.read("noted.json").as_bytes());
    for folder in [".compt", "outputs", "pipelines"] {
        for (name, bytes) in project.files(folder) {
            clean(&format!("{folder}/{name}"), &bytes);
        }
    }
    assert_eq!(project.read("outputs/c/a/out"), "good\n", "the stages did run");
    let log = both(&with_secrets(&project, &["show", "pipelines/c.yaml", "b", "--log"]));
    assert!(log.contains("*** and ***") && log.contains("[PIN_OF_MINE]"), "{log}");
}

#[test]
fn a_secret_in_a_file_or_a_setting_is_refused_where_it_stands() {
    let project = commands(&stage("a", "echo ${word} > out", ""));
    project.edit("pipelines/c.yaml", "name: c\n", "name: c\nparams: { word: plain }\n");
    assert!(with_secrets(&project, &["plan", "pipelines/c.yaml"]).status.success());
    let set = with_secrets(&project, &["run", "pipelines/c.yaml", "--set", "word=hf_PlantedTokenOfTheTest"]);
    assert_eq!(set.status.code(), Some(3), "{}", both(&set));
    let said = "`--set word=...` holds the value of the environment variable `HF_TOKEN`";
    assert!(both(&set).contains(said), "{}", both(&set));
    clean("the refusal", both(&set).as_bytes());

    project.edit("pipelines/c.yaml", "word: plain", "word: Bearer hf_PlantedTokenOfTheTest");
    for arguments in [&["run", "pipelines/c.yaml"][..], &["check", "pipelines/c.yaml"], &["plan", "pipelines/c.yaml"]] {
        let refused = with_secrets(&project, arguments);
        let text = both(&refused);
        assert_eq!(refused.status.code(), Some(3), "{text}");
        assert!(text.contains("pipelines/c.yaml:2:17") && text.contains("`HF_TOKEN` stands here"), "{text}");
        assert!(text.contains("`secrets: [HF_TOKEN]`"), "{text}");
        clean("the refusal", text.as_bytes());
    }
    assert!(!project.path(".compt/runs").exists());
    // The same for a program, and for a data set file.
    let refused = with_secrets(&project, &["run", "pipelines/c.yaml", "--json"]);
    let line = String::from_utf8_lossy(&refused.stderr).lines().last().unwrap().to_owned();
    let error: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(error["error"]["problems"][0]["code"], "compt::spec::secret", "{error}");
    project.edit("datasets/ripe.yaml", "title: toy task ripe", "title: hf_PlantedTokenOfTheTest");
    let refused = with_secrets(&project, &["run", "pipelines/toy.yaml"]);
    assert_eq!(refused.status.code(), Some(3), "{}", both(&refused));
    assert!(both(&refused).contains("datasets/ripe.yaml:1:8"), "{}", both(&refused));
    clean("the refusal", both(&refused).as_bytes());
}

/// A long line is cut before it is masked: no part of a secret may be left.
#[test]
fn a_part_of_a_long_line_has_no_part_of_a_secret() {
    let project = Project::new();
    let token: String = (0..130).map(|number| format!("{number:03}x")).collect();
    let filler = "filler, ".repeat(60);
    let address = format!("https://me:{token}@host/x");
    for (file, line) in [
        ("before", format!("name: a\nstages: {{ a: [{filler} {token}, ] ]")),
        ("after", format!("name: a\nstages: {{ a: [{filler} ] ], {token}, {filler}")),
        (
            "address",
            format!(
                "name: a\nstages: {{ a: [{filler} \"{}\" ] ]",
                address.replace(&token, "no-other-secret-than-this")
            ),
        ),
        ("value", format!("name: a\nstages: {{ a: {{ run: {{ fetch: {{ dataset: [{filler}{token}] }} }} }} }}")),
    ] {
        let file = format!("pipelines/{file}.yaml");
        project.write(&file, &line);
        let output = project.command(&["check", &file]).env("MY_TOKEN", &token).output().unwrap();
        let said = both(&output);
        assert_eq!(output.status.code(), Some(3), "{said}");
        let leaks = token.as_bytes().windows(9).any(|part| said.contains(std::str::from_utf8(part).unwrap()));
        assert!(!leaks && !said.contains("secret-than"), "{file}: {said}");
    }
}
