//! What one looks at beside results: differences, lists, a first project, completions, manual pages, JSON.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::project::{LIGHT as FILE, Project, both, json, light, lock_of, stdout};

/// The one line of JSON on standard error.
fn error_of(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().last().unwrap_or_default();
    let error: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}:\n{}", both(output)));
    error["error"].clone()
}

/// Runs the light pipeline into a folder of its own and returns the run's folder.
fn run_into(project: &Project, folder: &str, more: &[&str]) -> String {
    let output = project.compt(&[&["run", FILE, "--outputs", folder], more].concat());
    assert!(output.status.success(), "{}", both(&output));
    format!("{folder}/light")
}

#[test]
fn two_runs_differ_by_what_was_set() {
    let project = light();
    let one = run_into(&project, "one", &[]);
    let two = run_into(&project, "two", &["--set", "k=4", "--set", "seed=[2, 3]"]);
    let same = stdout(&project.compt(&["diff", &one, &one, "--exit-code"]));
    assert!(same.contains("no difference: 10 instances"), "{same}");
    let output = project.compt(&["diff", &one, &format!("{two}/run.json"), "--exit-code"]);
    assert_eq!(output.status.code(), Some(8), "{}", both(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    for line in [
        "shots: 2 only in A: `shots[task=ripe,seed=1]`, `shots[task=same,seed=1]`",
        "shots: 2 changed: `shots[task=ripe,seed=2]`, `shots[task=same,seed=2]`",
        "parameter `k` changed: 8 -> 4 (2)",
        "`shots`, which it reads, has another content (2)",
        "4 changed, 4 only in A, 4 only in B, 2 the same",
    ] {
        assert!(text.contains(line), "`{line}` is missing in:\n{text}");
    }
    let why = json(&project.compt(&["why", FILE, "shots[task=ripe,seed=1]", "--json", "--set", "k=5"]));
    assert_eq!(why["instances"][0]["state"]["run"]["reasons"][0]["parameter"]["new"], 5, "{why}");
    let there = json(&project.compt(&["diff", &one, &two, "--json"]));
    let back = json(&project.compt(&["diff", &two, &one, "--json"]));
    assert_eq!((&there["kind"], &there["equal"]), (&"runs".into(), &false.into()));
    assert_eq!((&there["only_in_a"], &there["only_in_b"]), (&back["only_in_b"], &back["only_in_a"]));
    let parameter = |found: &Value| found["changed"][0]["differences"][0]["parameter"].clone();
    assert_eq!(parameter(&there)["path"], "k");
    assert_eq!((&parameter(&there)["old"], &parameter(&there)["new"]), (&8.into(), &4.into()));
    assert_eq!(parameter(&back)["old"], parameter(&there)["new"]);
}

#[test]
fn two_keys_differ_by_old_and_new_values() {
    let project = light();
    let folders = [run_into(&project, "one", &[]), run_into(&project, "two", &["--set", "k=4"])];
    let keys = folders.clone().map(|folder| {
        let note: Value = serde_json::from_str(&project.read(&format!("{folder}/run.json"))).unwrap();
        let stages = note["stages"].as_array().unwrap();
        let shots = stages.iter().find(|stage| stage["stage"] == "shots[task=ripe,seed=1]").unwrap();
        shots["key"].as_str().unwrap().to_owned()
    });
    let text = stdout(&project.compt(&["diff", &keys[0][..10], &keys[1].to_uppercase()]));
    assert!(text.contains(&keys[0]) && text.contains("parameter `k` changed: 8 -> 4"), "{text}");
    let same = json(&project.compt(&["diff", &keys[0], &keys[0][..12], "--json", "--exit-code"]));
    assert_eq!((&same["equal"], &same["differences"]), (&true.into(), &serde_json::json!([])));

    let wrong = project.compt(&["diff", &keys[0], &folders[1]]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(both(&wrong).contains("is a stage key, but `two/light` is a run"), "{}", both(&wrong));
    let nothing = project.compt(&["diff", &keys[0], "0000000000"]);
    assert!(both(&nothing).contains("no key in the cache `.compt` begins with `0000000000`"), "{}", both(&nothing));

    // A second record that begins in the same way.
    let record = |key: &str| format!(".compt/records/{}/{key}.json", &key[..1]);
    let last = if keys[0].ends_with('0') { '1' } else { '0' };
    let other = format!("{}{last}", &keys[0][..63]);
    project.write(&record(&other), &project.read(&record(&keys[0])));
    let unclear = project.compt(&["diff", &keys[0][..8], &keys[1]]);
    assert_eq!(unclear.status.code(), Some(2));
    let said = both(&unclear);
    assert!(said.contains("begins 2 keys") && said.contains(&other) && said.contains(&keys[0]), "{said}");
    assert!(said.contains("shots[task=ripe,seed=1] of light"), "{said}");
}

#[test]
fn two_lock_files_differ_by_files() {
    let project = light();
    project.write("a.lock", &lock_of("train.csv", "one"));
    project.write("b.lock", &lock_of("train.csv", "three"));
    project.write("c.lock", &lock_of("test.csv", "one"));
    let changed = stdout(&project.compt(&["diff", "a.lock", "b.lock"]));
    assert!(changed.contains("dataset `ripe`: file `train.csv` changed: 3 bytes, digest"), "{changed}");
    let moved = stdout(&project.compt(&["diff", "a.lock", "c.lock"]));
    assert!(moved.contains("file `test.csv` is new") && moved.contains("file `train.csv` is gone"), "{moved}");
    assert!(project.compt(&["diff", "a.lock", "a.lock", "--exit-code"]).status.success());
    let pipeline = both(&project.compt(&["diff", "a.lock", FILE]));
    assert!(pipeline.contains("is a pipeline file") && pipeline.contains("`pipelines/light.lock`"), "{pipeline}");
    let nothing = both(&project.compt(&["diff", "a.lock", "nowhere"]));
    assert!(nothing.contains("`nowhere` is no run, no lock file and no stage key"), "{nothing}");
}

#[test]
fn a_first_project_runs_as_it_is() {
    let project = Project::new();
    let said = stdout(&project.compt(&["init", "new study"]));
    assert!(said.contains("cd 'new study'") && said.contains("compt run pipelines/starter.yaml"), "{said}");
    let there =
        |arguments: &[&str]| project.command(arguments).current_dir(project.path("new study")).output().unwrap();
    assert!(stdout(&there(&["check"])).contains("pipelines/starter.yaml: fine"));
    assert!(stdout(&there(&["plan", "pipelines/starter.yaml"])).contains("to run"));
    assert!(stdout(&there(&["list", "profiles", "pipelines/starter.yaml"])).contains("smoke\n  epochs: 1\n"));
    assert_eq!(project.read("new study/.gitignore"), ".compt/\noutputs/\n");
    stdout(&there(&["schema", "--check"]));

    let again = there(&["init"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(both(&again).contains("`init` overwrites nothing"), "{}", both(&again));
    project.write("new study/datasets/README.md", "mine");
    let second = json(&there(&["init", "--name", "second", "--json"]));
    assert_eq!(second["written"], serde_json::json!(["pipelines/second.yaml"]));
    assert_eq!(project.read("new study/datasets/README.md"), "mine");
    assert!(stdout(&there(&["check", "pipelines/second.yaml"])).contains("fine"));
    assert!(!project.read("new study/pipelines/second.yaml").contains("starter"));
    assert_eq!(there(&["init", "--name", "My Study"]).status.code(), Some(2));

    let run = ["run", "pipelines/starter.yaml", "--profile", "smoke", "--set", "test_samples=8", "--set", "k=2"];
    let said = stdout(&there(&run));
    assert!(said.contains("Private prompts beside the shared ones help"), "{said}");
}

#[test]
fn everything_that_a_pipeline_can_name_is_listed() {
    let project = light();
    let list = |arguments: &[&str]| stdout(&project.compt(&[&["list"], arguments].concat()));
    let json_of = |arguments: &[&str]| json(&project.compt(&[&["list", "--json"], arguments].concat()));
    let all = list(&[]);
    for name in ["train", "pt, mst, spp, scp", "paper_code", "matthews", "mrpc", "ripe"] {
        assert!(all.contains(name), "`{name}` is missing in:\n{all}");
    }
    // Expected values: METHODS 3 and 8, as `train` documents them.
    let methods = list(&["methods"]);
    assert!(methods.contains("scp: The source mixture") && methods.contains("optim.groups.source"), "{methods}");
    assert!(!methods.contains("optim.betas"), "{methods}");
    assert_eq!(json_of(&["methods", "mst"])["parameters"]["sources.count"], 1);
    assert!(list(&["methods", "spp"]).contains("optim.betas"));
    let preset = list(&["presets", "paper_text"]);
    assert!(preset.contains("prompt.length") && preset.contains("(recommended: 10)"), "{preset}");
    let metrics = json_of(&["metrics"]);
    assert_eq!(metrics.as_array().unwrap().len(), compt::metric::METRICS.len());
    assert_eq!(json_of(&["metrics", "nll"])["higher_is_better"], false);
    let rte = list(&["datasets", "rte"]);
    assert!(rte.contains("nyu-mll/glue on the hub") && rte.contains("1 is not_entailment"), "{rte}");
    assert_eq!(json_of(&["datasets", "ripe"])["file"], "datasets/ripe.yaml");
    assert_eq!(json_of(&["datasets", "rte"])["file"], Value::Null);
    assert_eq!(json_of(&["train"])["name"], "train");
    assert!(json_of(&["operations", "train"])["parameters"]["properties"]["method"].is_object());
    project.write("datasets/broken.yaml", "title: [");
    assert!(list(&["datasets"]).contains("`compt check datasets/broken.yaml` says why"));
    for (arguments, said) in [
        (&["metrics", "acuracy"][..], "did you mean `accuracy`?"),
        (&["methods", "mstt"], "did you mean `mst`?"),
        (&["datasets", "rt"], "did you mean `rte`?"),
        (&["dataset"], "did you mean `datasets`?"),
        (&["train", "spp"], "takes no `spp`"),
        (&["profiles"], "needs a pipeline file"),
    ] {
        let output = project.compt(&[&["list"], arguments].concat());
        assert!(!output.status.success() && both(&output).contains(said), "{}", both(&output));
    }
}

/// The names of the subcommands, as `--help` lists them.
fn subcommands(project: &Project) -> Vec<String> {
    let help = stdout(&project.compt(&["--help"]));
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let lines = commands
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && &line[2..3] != " ");
    lines.map(|line| line.split_whitespace().next().unwrap().to_owned()).filter(|name| name != "help").collect()
}

#[test]
fn shells_complete_every_subcommand() {
    let project = Project::new();
    let names = subcommands(&project);
    assert!(names.len() > 10, "{names:?}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&project.compt(&["completions", shell]));
        for name in &names {
            assert!(script.contains(name.as_str()), "{shell} lacks {name}");
        }
        project.write(&format!("compt.{shell}"), &script);
    }
    match Command::new("bash").arg("-n").arg(project.path("compt.bash")).output() {
        Ok(output) => assert!(output.status.success(), "{}", both(&output)),
        Err(_) => println!("skipped: there is no bash to read the script with"),
    }
}

#[test]
fn bash_completes_what_is_begun() {
    let project = Project::new();
    project.write("compt.bash", &stdout(&project.compt(&["completions", "bash"])));
    let completed = |words: &[&str]| {
        // As readline calls it: the program, the word at the cursor and the one before it.
        let script = "source ./compt.bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                      _compt compt \"${COMP_WORDS[-1]}\" \"${COMP_WORDS[-2]}\"; printf '%s\\n' \"${COMPREPLY[@]}\"";
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", script, "bash"]).args(words).current_dir(project.path("."));
        bash.output().map(|output| stdout(&output))
    };
    for (words, expected) in [
        (&["compt", "run", "--fa"][..], "--fail-fast\n"),
        (&["compt", "ver"], "verify\n"),
        (&["compt", "run", "p.yaml", "--dry"], "--dry-run\n"),
    ] {
        match completed(words) {
            Ok(words) => assert_eq!(words, expected),
            Err(_) => return println!("skipped: there is no bash to complete anything"),
        }
    }
}

/// Those whose answer is no fact, each with the reason.
const WITHOUT_JSON: [(&str, &str); 2] = [
    ("predict", "it writes rows, with `--output-format jsonl` one JSON object for each"),
    ("completions", "it writes a script of a shell"),
];

#[test]
fn every_subcommand_answers_in_json() {
    let project = Project::new();
    for command in compt::cli::command_line().get_subcommands() {
        let name = command.get_name();
        let help = stdout(&project.compt(&[name, "--help"]));
        let reason = WITHOUT_JSON.iter().find(|(known, _)| *known == name);
        assert_eq!(help.contains(" --json"), reason.is_none(), "{name}: {help}");
    }
    for (name, _) in WITHOUT_JSON {
        assert!(compt::cli::command_line().find_subcommand(name).is_some(), "{name}");
    }
}

#[test]
fn what_is_shown_of_a_stage_is_json_too() {
    let project = light();
    let show = |more: &[&str]| json(&project.compt(&[&["show", FILE, "data", "--json"], more].concat()));
    let nothing = |task: &str| {
        let instance = format!("data[task={task}]");
        serde_json::json!({ "instance": instance, "key": null, "output": null, "current": false })
    };
    assert_eq!(show(&[]), serde_json::json!([nothing("ripe"), nothing("same")]));
    let log = |of: &Value| (of["attempt"].clone(), of["log"].is_string(), of["lines"].as_array().unwrap().len());
    assert_eq!(log(&show(&["--log"])[1]), (Value::Null, false, 0));
    run_into(&project, "outputs", &["--until", "data[task=ripe]"]);
    let shown = show(&[]);
    assert_eq!((&shown[0]["current"], &shown[0]["preimage"]["operation"]), (&true.into(), &"fetch".into()));
    assert_eq!((shown.as_array().unwrap().len(), &shown[1]["output"]), (2, &Value::Null));
    let logs = show(&["--log"]);
    assert_eq!((&logs[0]["instance"], &logs[0]["attempt"]), (&"data[task=ripe]".into(), &1.into()));
    let text = project.read(logs[0]["log"].as_str().unwrap());
    let lines: Vec<&str> = logs[0]["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(!lines.is_empty() && lines == text.lines().collect::<Vec<_>>(), "{logs}");
    // A result of another time is the last one, and not the current one.
    project.edit("toys/ripe_train.csv", ",0\n", ",1\n");
    assert_eq!((&show(&[])[0]["current"], &show(&[])[0]["output"]), (&false.into(), &shown[0]["output"]));
}

#[test]
fn every_subcommand_has_a_manual_page() {
    let project = Project::new();
    let page = stdout(&project.compt(&["man"]));
    stdout(&project.compt(&["man", "--output", "man"]));
    for name in subcommands(&project) {
        assert!(page.contains(&format!("compt\\-{name}(1)")), "{name}");
        assert!(project.read(&format!("man/compt-{name}.1")).contains(".TH compt-"), "{name}");
    }
    let mut groff = Command::new("groff");
    match groff.args(["-man", "-Tutf8", "-ww", "-z"]).arg(project.path("man/compt-run.1")).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && !said.contains("error"), "{said}");
        }
        Err(_) => println!("skipped: there is no groff to read the page with"),
    }
}

#[test]
fn programs_are_told_what_is_wrong_as_json() {
    let project = light();
    project.edit(FILE, "from: shots", "from: shotz");
    for arguments in [
        &["check", FILE, "--json"][..],
        &["plan", FILE, "--json"],
        &["run", FILE, "--json"],
        &["graph", FILE, "--json"],
    ] {
        let output = project.compt(arguments);
        let error = error_of(&output);
        assert_eq!((&error["kind"], &error["exit_code"]), (&"invalid".into(), &3.into()));
        assert_eq!(output.status.code(), Some(3));
        let problem = &error["problems"][0];
        assert_eq!(problem["file"], FILE);
        assert!(problem["line"].is_u64() && problem["hint"] == "did you mean `shots`?", "{problem}");
    }
    let checked = json(&project.compt(&["check", FILE, "pipelines/toy.yaml", "--json"]));
    assert_eq!((&checked["files"][0]["valid"], &checked["files"][1]["valid"]), (&false.into(), &true.into()));
    assert_eq!(checked["files"][1]["stages"], 6);
    let usage = error_of(&project.compt(&["plan", "--json", "--sett", "k=1"]));
    assert_eq!((&usage["kind"], &usage["exit_code"]), (&"usage".into(), &2.into()));
    assert!(usage["message"].as_str().unwrap().contains("--sett"), "{usage}");
    let missing = error_of(&project.compt(&["list", "trian", "--json"]));
    assert_eq!(missing["hint"], "did you mean `train`?");
}

#[test]
fn colours_are_written_where_they_are_wanted() {
    let project = light();
    project.edit(FILE, "from: shots", "from: shotz");
    let coloured = |variables: &[(&str, &str)]| {
        let mut command = project.command(&["plan", FILE]);
        command.env_remove("NO_COLOR").env("TERM", "xterm").envs(variables.iter().copied());
        String::from_utf8_lossy(&command.output().unwrap().stderr).contains('\u{1b}')
    };
    // Standard error is a pipe here.
    assert!(!coloured(&[]));
    assert!(coloured(&[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "0")]));
    assert!(!coloured(&[("TERM", "dumb")]));
}

/// Calls `visit` with the path and schema of every property below a schema.
fn properties(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    match schema {
        Value::Object(map) => {
            for (name, property) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
                visit(&format!("{path}/{name}"), property);
            }
            map.iter().for_each(|(name, value)| properties(value, &format!("{path}/{name}"), visit));
        }
        Value::Array(items) => items.iter().for_each(|item| properties(item, path, visit)),
        _ => {}
    }
}

#[test]
fn editors_can_say_what_every_key_is_and_propose_names() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    for name in ["pipeline", "dataset"] {
        let text = fs_err::read_to_string(folder.join(format!("{name}.schema.json"))).unwrap();
        let schema: Value = serde_json::from_str(&text).unwrap();
        properties(&schema, name, &mut |path, property| {
            let target = property["$ref"].as_str().and_then(|path| schema.pointer(path.trim_start_matches('#')));
            let described = [Some(property), target].into_iter().flatten().any(|it| it["description"].is_string());
            assert!(described, "{path} has no description");
        });
        if name == "pipeline" {
            let operations = &schema["$defs"]["Stage"]["properties"]["run"]["properties"];
            assert_eq!(operations.as_object().unwrap().len(), compt::operation::ALL.len());
            let names = operations["fetch"]["properties"]["dataset"]["examples"].as_array().unwrap();
            assert!(names.iter().any(|name| name == "rte"), "{names:?}");
        }
    }
}

#[test]
fn the_doctor_leaves_no_trace() {
    let project = Project::new();
    for cache in [".compt", "not/yet"] {
        let text = stdout(&project.compt(&["doctor", "--cache", cache]));
        assert!(text.contains(&format!("{cache} (writable)")), "{text}");
        assert!(!project.path(cache).exists() && !project.path("not").exists());
    }
    // As for all who would write there.
    for command in [&["doctor"][..], &["run", "pipelines/toy.yaml"]] {
        let output = project.compt(&[command, &["--cache", "toys/ripe_train.csv"]].concat());
        assert_eq!(output.status.code(), Some(6), "{}", both(&output));
        assert!(both(&output).contains("check that `toys/ripe_train.csv` is a folder"), "{}", both(&output));
    }
}

/// What a program without a log looks like: it said nothing. That its last attempt is not taken for an earlier one which
/// failed is as important.
#[test]
fn a_program_that_says_nothing_needs_no_log_unless_an_earlier_attempt_has_one() {
    let project = Project::new();
    let flag = project.path("flag");
    let line = serde_json::to_string(&format!("test -e '{}' && echo 1 > out", flag.display())).unwrap();
    project.write(
        "pipelines/c.yaml",
        &format!(
            "name: c\nstages:\n  say: {{ run: {{ command: {{ program: [sh, -c, {line}], outputs: [out] }} }} }}\n"
        ),
    );
    let show = |more: &[&str]| project.compt(&[&["show", "pipelines/c.yaml", "say", "--log"], more].concat());
    assert!(both(&show(&[])).contains("say: no attempt was made yet"));
    assert_eq!(project.compt(&["run", "pipelines/c.yaml"]).status.code(), Some(4));
    assert!(both(&show(&[])).contains("end: failed: "));
    project.write("flag", "");
    assert!(project.compt(&["run", "pipelines/c.yaml"]).status.success());
    let logs = json(&show(&["--json"]));
    let last = logs[0]["lines"].as_array().unwrap().last().unwrap().as_str().unwrap();
    assert_eq!((&logs[0]["attempt"], last.ends_with("] end: done")), (&2.into(), true), "{logs}");
    // The log of what the file says now, and not of what it said when something was made last.
    project.edit("pipelines/c.yaml", "echo 1", "echo no; false");
    assert!(both(&show(&[])).contains("end: done"));
    assert_eq!(project.compt(&["run", "pipelines/c.yaml"]).status.code(), Some(4));
    assert!(both(&show(&[])).contains("end: failed: "), "{}", both(&show(&[])));
    project.edit("pipelines/c.yaml", "echo no; false", "echo 1");
    fs_err::remove_dir_all(project.path(".compt/logs")).unwrap();
    assert!(both(&show(&[])).contains("say: no log; a program that says nothing"), "{}", both(&show(&[])));
    let logs = json(&show(&["--json"]));
    assert_eq!((&logs[0]["attempt"], &logs[0]["log"]), (&Value::Null, &Value::Null));
}

/// The starter has a built-in backbone: it is known without being unpacked.
#[test]
fn looking_at_a_plan_leaves_no_trace() {
    let project = Project::new();
    assert!(project.compt(&["init", "."]).status.success());
    let file = fs_err::read_dir(project.path("pipelines")).unwrap().map(|entry| entry.unwrap().path());
    let starter = file.filter(|path| fs_err::read_to_string(path).unwrap().contains("builtin/nano")).min().unwrap();
    for arguments in [&["plan"][..], &["status"], &["graph"], &["run", "--dry-run"]] {
        let output = project.compt(&[arguments, &[starter.to_str().unwrap()]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", both(&output));
        assert!(!project.path(".compt").exists(), "{arguments:?}");
    }
}
