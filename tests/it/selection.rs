//! Parts of pipelines, what is said of a run before it begins, and where things stand while it goes on.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use crate::project::{LIGHT as FILE, Project, both, executed, json, light, until};

/// What a run executes.
fn run(project: &Project, more: &[&str]) -> Vec<String> {
    let output = project.compt(&[&["run", FILE, "--json"], more].concat());
    assert!(output.status.success(), "{}", both(&output));
    executed(&String::from_utf8_lossy(&output.stdout))
}

/// The names that a dry run gives this fate, sorted.
fn told(project: &Project, fate: &str, more: &[&str]) -> Vec<String> {
    let said = json(&project.compt(&[&["run", FILE, "--dry-run", "--json"], more].concat()));
    let stages = said["stages"].as_array().unwrap().iter().filter(|stage| stage["fate"] == fate);
    let mut names: Vec<String> = stages.map(|stage| stage["stage"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn parts_put_together_are_the_whole() {
    let project = light();
    assert_eq!(run(&project, &["--until", "shots[seed=1]"]).len(), 4);
    let ripe = ["text[task=ripe,seed=1]"];
    assert_eq!(run(&project, &["--only", "text & *[task=ripe]", "--until", "*[seed=1]"]), ripe);
    // What reads the data of `same`, with what that needs besides; of it the shots of seed 1 are there.
    let same = ["shots[task=same,seed=2]", "text[task=same,seed=1]", "text[task=same,seed=2]"];
    assert_eq!(run(&project, &["--from", "data[task=same]"]), same);
    let output = project.compt(&["run", FILE, "--until", "data", "--no-progress"]);
    let text = both(&output);
    assert!(text.contains("2 other stages, which were not asked for, are not up to date"), "{text}");
    assert_eq!(run(&project, &[]), ["shots[task=ripe,seed=2]", "text[task=ripe,seed=2]"]);
    let note = project.read("outputs/light/run.json");
    // A part that is run later leaves the note of the whole as it is.
    assert_eq!(run(&project, &["--only", "text[seed=1]", "--force"]).len(), 2);
    assert_eq!(project.read("outputs/light/run.json"), note);

    let other = light();
    run(&other, &[]);
    assert_eq!(other.outputs(), project.outputs());
}

#[test]
fn only_says_what_is_missing_and_what_to_type() {
    let project = light();
    run(&project, &["--until", "data"]);
    for more in [&[][..], &["--dry-run"]] {
        let output = project.compt(&[&["run", FILE, "--only", "text[seed=1]"], more].concat());
        assert_eq!(output.status.code(), Some(3), "{}", both(&output));
        let text = both(&output);
        assert!(
            text.contains("what it reads is not there: `shots[task=ripe,seed=1]`, `shots[task=same,seed=1]`"),
            "{text}"
        );
        assert!(text.contains("--until 'text[seed=1]'` makes that too"), "{text}");
    }
    let output = project.compt(&["run", FILE, "--only", "text", "--until", "data"]);
    assert_eq!(output.status.code(), Some(2), "{}", both(&output));
    assert!(
        both(&output).contains("`--only 'text'` and `--until 'data'` select nothing together"),
        "{}",
        both(&output)
    );
    let output = project.compt(&["plan", FILE, "--from", "txt"]);
    assert!(both(&output).contains("did you mean `text`?"), "{}", both(&output));
}

#[test]
fn what_is_not_asked_for_may_lack_its_sources() {
    let project = Project::new();
    let texts = project.run(&["--set", "backbone=./nowhere", "--until", "text"]);
    assert_eq!(texts.len(), 10, "{texts:?}");
}

#[test]
fn a_dry_run_says_what_the_run_does_and_changes_nothing() {
    let project = light();
    let everything = told(&project, "runs", &[]);
    assert_eq!(everything.len(), 10);
    assert!(!project.path(".compt").exists() && !project.path("outputs").exists());
    assert_eq!(run(&project, &[]), everything);
    assert_eq!(told(&project, "cached", &[]), everything);

    let before = (project.files(".compt"), project.files("outputs"), project.files("pipelines"));
    for more in [&["--set", "k=4"][..], &["--force=shots"], &["--only", "text", "--force=text[seed=1]"]] {
        assert!(!told(&project, "runs", more).is_empty());
        assert_eq!((project.files(".compt"), project.files("outputs"), project.files("pipelines")), before);
    }
    // Another number of shots: what is made of them is not known to be new, since format has no number in its key.
    let (runs, may_run) = (told(&project, "runs", &["--set", "k=4"]), told(&project, "may_run", &["--set", "k=4"]));
    assert_eq!((runs.len(), may_run.len()), (4, 4));
    let ran: BTreeSet<String> = run(&project, &["--set", "k=4"]).into_iter().collect();
    assert_eq!(ran, runs.into_iter().chain(may_run).collect());
    // Forced, it gives the same, and what reads it is cut off.
    let forced = told(&project, "runs", &["--force=shots"]);
    assert_eq!((forced.len(), told(&project, "may_run", &["--force=shots"]).len()), (4, 4));
    assert_eq!(run(&project, &["--force=shots"]), forced);

    let text = both(&project.compt(&["run", FILE, "--dry-run", "--force=shots[seed=1]", "--until", "text[task=ripe]"]));
    let wanted = "\
cached   data[task=ripe]
runs     shots[task=ripe,seed=1]  it was asked for
cached   shots[task=ripe,seed=2]
may run  text[task=ripe,seed=1]  it waits for `shots`, and its result may turn out to be there
cached   text[task=ripe,seed=2]

5 stages: 3 cached, 1 to run, 1 may run: their results may turn out to be there
";
    let (told, expected) = text.split_once("expected: ").unwrap();
    assert_eq!(told, wanted);
    assert!(expected.contains(" s of work; "), "{expected}");
}

#[test]
fn a_dry_run_foretells_what_has_no_room() {
    let project = light();
    project.edit(FILE, "  shots:\n", "  shots:\n    resources: { licence: 1 }\n");
    let text = both(&project.compt(&["run", FILE, "--dry-run"]));
    for wanted in [
        "fails    shots[task=ripe,seed=1]  it needs 1 `licence`, and nobody said how much there is: \
         say it with `--resource licence=1`\n",
        "skipped  text[task=ripe,seed=1]  shots[task=ripe,seed=1] fails\n",
        "\n10 stages: 2 to run, 4 to fail at once, 4 to be skipped\nexpected: 2 stages that never ran\n",
    ] {
        assert!(text.contains(wanted), "`{wanted}` is missing in:\n{text}");
    }
    let said = json(&project.compt(&["run", FILE, "--dry-run", "--json"]));
    let stage = |name: &str| said["stages"].as_array().unwrap().iter().find(|stage| stage["stage"] == name).unwrap();
    let (shots, text) = (stage("shots[task=same,seed=2]"), stage("text[task=same,seed=2]"));
    assert_eq!((&shots["fate"], &text["fate"]), (&"fails".into(), &"skipped".into()));
    assert_eq!(shots["shortage"]["hint"], "say it with `--resource licence=1`");
    assert_eq!((&text["because"], &text["shortage"]), (&"shots[task=same,seed=2]".into(), &serde_json::Value::Null));

    let output = project.compt(&["run", FILE, "--json"]);
    assert_eq!(output.status.code(), Some(5), "{}", both(&output));
    let last = String::from_utf8_lossy(&output.stdout).lines().last().unwrap().to_owned();
    let last: serde_json::Value = serde_json::from_str(&last).unwrap();
    for (foretold, came) in [("run", "executed"), ("fail", "failed"), ("skip", "skipped")] {
        assert_eq!(said["totals"][foretold], last["what"][came], "{foretold}: {last}");
    }
    // With the data there, nothing is started before the first failure, if that is to stop the run.
    let more = ["--fail-fast", "--force=data[task=ripe]"];
    let left =
        "left     shots[task=ripe,seed=1]  shots[task=same,seed=1] fails, and `--fail-fast` stops the run then\n";
    let text = both(&project.compt(&[&["run", FILE, "--dry-run"], &more[..]].concat()));
    assert!(text.contains(left), "{text}");
    assert!(
        text.ends_with("\n10 stages: 1 cached, 2 to fail at once, 2 to be skipped, 5 not to be started\n\n"),
        "{text}"
    );
    let totals = json(&project.compt(&[&["run", FILE, "--dry-run", "--json"], &more[..]].concat()))["totals"].clone();
    let output = project.compt(&[&["run", FILE, "--json"], &more[..]].concat());
    let last = String::from_utf8_lossy(&output.stdout).lines().last().unwrap().to_owned();
    let last: serde_json::Value = serde_json::from_str(&last).unwrap();
    for (foretold, came) in [("run", "executed"), ("fail", "failed"), ("skip", "skipped"), ("left", "left")] {
        assert_eq!(totals[foretold], last["what"][came], "{foretold}: {last}");
    }
    // Before anything is known of the shots, their data may be made.
    let text = both(&project.compt(&["run", FILE, "--dry-run", "--fail-fast", "--force=data"]));
    for wanted in [
        "may run  data[task=same]  ",
        "may fail shots[task=same,seed=2]  unless its result turns out to be there or the run stops before: it needs 1 \
         `licence`",
        "`--fail-fast` stops the run when one of them fails: what may run may also be left then\n",
    ] {
        assert!(text.contains(wanted), "`{wanted}` is missing in:\n{text}");
    }
    assert_eq!(told(&project, "runs", &["--resource", "licence=1"]).len(), 8);
    assert_eq!(run(&project, &["--resource", "licence=1"]).len(), 8);
    // What is there needs no licence.
    assert_eq!(told(&project, "cached", &[]).len(), 10);
}

#[test]
fn the_plan_says_which_cells_why_and_how_long() {
    let project = light();
    let plan = |more: &[&str]| both(&project.compt(&[&["plan", FILE], more].concat()));
    let fresh = plan(&[]);
    assert!(fresh.contains("expected: 10 stages that never ran\n"), "{fresh}");
    run(&project, &["--until", "text[task=ripe]"]);
    // Seconds as they would be after long runs; the latest ones of a stage count.
    let journal = project.path(".compt/durations");
    let line =
        |operation: &str, stage: &str, seconds: f64| format!("[\"{operation}\",\"light\",\"{stage}\",{seconds}]\n");
    fs_err::write(journal, line("fetch", "data", 60.0) + &line("sample", "shots", 30.0)).unwrap();
    let text = plan(&["--force=shots[seed=1]", "--set", "seed=[1,2,3]"]);
    // The longest path, or all of it shared by the cores, as stages on threads are.
    let end = match std::thread::available_parallelism().map_or(1, usize::from) {
        1 => "3 min 30 s",
        2 => "1 min 45 s",
        _ => "1 min 30 s",
    };
    for wanted in [
        "data   fetch   1 of 2 cached; 1 to run: task=same; 1 min 00 s\n",
        // `same` has never been drawn from, but for seed 2 the draw would be the one of `ripe` if the data were equal.
        "shots  sample  1 of 6 cached; 4 to run: seed=1|3; 1 may run: task=same, seed=2; 2 min 30 s\n",
        "         it has never run (4): task=same and seed=3\n         it was asked for (2): seed=1\n",
        &format!("expected: 3 min 30 s of work and 5 stages that never ran; at least {end} with "),
        "\n  task  ripe: 1 min 00 s, same: 2 min 30 s\n  seed  1: 1 min 00 s, 2: 30.0 s, 3: 1 min 00 s\n",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    assert!(plan(&["--until", "text[task=ripe]"]).contains("5 stages, all cached: nothing to run\n"));
}

/// A stage that waits for a file, one that fails, and one that reads both.
fn slow(project: &Project) {
    let go = project.path("go").display().to_string();
    project.write(
        "pipelines/slow.yaml",
        &format!(
            r#"
name: slow
axes: {{ way: [wait, fail] }}
stages:
  work:
    matrix: {{ way: axes.way }}
    run:
      command:
        program: [sh, -c, "if [ $0 = fail ]; then echo no luck >&2; exit 3; fi; while [ ! -e {go} ]; do sleep 0.02; done; echo 1 > a", "${{way}}"]
        outputs: [a]
  after:
    matrix: {{}}
    run: {{ command: {{ from: work, program: ["true"], outputs: [] }} }}
"#
        ),
    );
}

#[test]
fn the_status_tells_of_a_run_in_another_process() {
    let project = Project::new();
    slow(&project);
    let status = || json(&project.compt(&["status", "pipelines/slow.yaml", "--json"]));
    assert_eq!(status()["tally"]["to_do"], 3);
    let mut child = project.start(&["run", "pipelines/slow.yaml", "--jobs", "2", "--resource", "cpu=2"]);
    let mut found = status();
    until("one stage runs and one has failed", || {
        // Without its log, a stage has begun in this moment, whenever that is.
        let logs = fs_err::read_dir(project.path(".compt/logs")).map_or(0, Iterator::count);
        found = status();
        found["tally"]["running"] == 1 && found["tally"]["failed"] == 1 && logs == 2
    });
    assert_eq!(found["instances"][0]["is"], "running");
    assert_eq!(found["instances"][0]["by"]["pid"], child.id());
    assert_eq!(found["axes"][0]["values"][1]["tally"]["failed"], 1);
    let text = both(&project.compt(&["status", "pipelines/slow.yaml"]));
    assert!(text.starts_with("slow: 0 of 3 done, 1 running, 1 failed, 1 to do\n"), "{text}");
    assert!(text.contains(&format!("work[way=wait] runs: process {} on `", child.id())), "{text}");
    assert!(text.contains("work[way=fail] failed: ") && text.contains("running: way=wait"), "{text}");
    assert!(text.contains("`compt show pipelines/slow.yaml 'work[way=fail]' --log` prints the log"), "{text}");

    // The same of a part, without what it reads.
    let of = |selection: &str| project.compt(&["status", "pipelines/slow.yaml", selection, "--json"]);
    let one = json(&of("work[way=wait]"));
    assert_eq!((&one["tally"]["running"], &one["instances"][0]), (&1.into(), &found["instances"][0]));
    assert_eq!((one["instances"].as_array().unwrap().len(), one["stages"].as_array().unwrap().len()), (1, 1));
    assert_eq!(json(&of("after"))["instances"], serde_json::json!([found["instances"][2]]));
    assert_eq!(json(&of("+after"))["tally"], found["tally"]);
    let refused = of("wrok");
    assert!(refused.status.code() == Some(2) && both(&refused).contains("`work`"), "{}", both(&refused));

    // The same where nothing can be written.
    let folders = [".compt", ".compt/locks", ".compt/work"].map(|name| project.path(name));
    let permit = |mode| {
        folders.iter().for_each(|folder| fs_err::set_permissions(folder, PermissionsExt::from_mode(mode)).unwrap());
    };
    permit(0o555);
    let read_only = status();
    permit(0o755);
    assert_eq!(read_only["tally"], found["tally"]);

    project.write("go", "");
    assert_eq!(child.wait().unwrap().code(), Some(4));
    let tally = &status()["tally"];
    assert_eq!([&tally["done"], &tally["running"], &tally["failed"], &tally["to_do"]], [1, 0, 1, 1]);
}

#[test]
fn a_verification_takes_a_selection() {
    let project = light();
    run(&project, &[]);
    let verified =
        project.compt(&["verify", FILE, "--json", "--stages", "+text & *[seed=1]", "--stages", "data[task=same]"]);
    let stages = json(&verified)["stages"].as_array().unwrap().clone();
    let names: BTreeSet<&str> = stages.iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    let expected =
        ["ripe", "same"].map(|task| [format!("shots[task={task},seed=1]"), format!("text[task={task},seed=1]")]);
    let expected = expected.concat().into_iter().chain(["data[task=same]".to_owned()]).collect::<Vec<_>>();
    assert_eq!(names, expected.iter().map(String::as_str).collect(), "{}", both(&verified));
}
