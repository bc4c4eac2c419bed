//! How a run goes, through the command line: what is written down of it, and what else happens beside it.

use std::process::{Command, Output};

use serde_json::Value;

use crate::project::{Project, both, until, until_gone};

/// A project with one pipeline of commands, `pipelines/c.yaml`.
pub fn commands(stages: &str) -> Project {
    let project = Project::new();
    project.write("pipelines/c.yaml", &format!("name: c\nstages:\n{stages}"));
    project
}

/// A stage that runs a line of shell and makes the file `out`.
pub fn stage(name: &str, line: &str, more: &str) -> String {
    let line = serde_json::to_string(line).unwrap();
    format!("  {name}:\n    run: {{ command: {{ program: [sh, -c, {line}], outputs: [out]{more} }} }}\n")
}

fn run(project: &Project, more: &[&str]) -> Output {
    project.compt(&[&["run", "pipelines/c.yaml"], more].concat())
}

/// The lines of the last journal.
fn journal(project: &Project) -> Vec<Value> {
    let output = project.compt(&["runs", "last", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", both(&output)))
}

/// The events of a stage in the last journal.
fn course(project: &Project, stage: &str) -> Vec<String> {
    let lines = journal(project);
    let of_stage = lines.iter().filter(|line| line["stage"] == stage);
    of_stage.map(|line| line["event"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_journal_tells_what_became_of_each_stage() {
    let twice =
        "[ -e \"$${COMPT_CHECKPOINTS:?}/tried\" ] || { touch \"$COMPT_CHECKPOINTS/tried\"; kill -9 $$; }; echo a > out";
    let project = commands(
        &[
            stage("a", twice, ", checkpoints: true"),
            stage("b", "exit 3", ""),
            stage("c", "cat inputs/b/out > out", ", from: b"),
            stage("d", "cat inputs/a/out > out", ", from: a"),
        ]
        .concat(),
    );
    project.edit(
        "pipelines/c.yaml",
        "  a:\n",
        "  a:\n    policy: { retries: { times: 1, wait: 0s, on: [environment, input] } }\n",
    );
    let output = run(&project, &["--jobs", "1"]);
    assert_eq!(output.status.code(), Some(4), "{}", both(&output));
    assert_eq!(course(&project, "a"), ["queued", "started", "retry", "started", "finished"]);
    assert_eq!(course(&project, "b"), ["queued", "started", "failed"]);
    assert_eq!(course(&project, "c"), ["skipped"]);
    assert_eq!(course(&project, "d"), ["queued", "started", "finished"]);
    let lines = journal(&project);
    let (first, last) = (&lines[0], lines.last().unwrap());
    for (field, expected) in [
        ("event", Value::from("run_started")),
        ("pipeline", "c".into()),
        ("file", "pipelines/c.yaml".into()),
        ("stages", 4.into()),
        ("jobs", 1.into()),
        ("compt", env!("CARGO_PKG_VERSION").into()),
    ] {
        assert_eq!(first[field], expected, "{first}");
    }
    assert_eq!(first["command"].as_array().unwrap()[1..], ["run", "pipelines/c.yaml", "--jobs", "1"]);
    assert_eq!(
        (&last["event"], &last["outcome"], &last["executed"]),
        (&"run_finished".into(), &"failed".into(), &2.into())
    );
    let times: Vec<f64> = lines.iter().map(|line| line["time"].as_f64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    // The key of a line is that of the result.
    let shown: Value =
        serde_json::from_slice(&project.compt(&["show", "pipelines/c.yaml", "d", "--json"]).stdout).unwrap();
    let finished = lines.iter().find(|line| line["event"] == "finished" && line["stage"] == "d").unwrap();
    assert_eq!((&finished["key"], &finished["output"]), (&shown[0]["key"], &shown[0]["output"]));

    // A second run is a second journal; the first stays as it was.
    run(&project, &[]);
    assert_eq!(course(&project, "a"), ["cached"]);
    let listed: Value = serde_json::from_slice(&project.compt(&["runs", "--json"]).stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    assert_eq!((&listed[0]["outcome"], &listed[0]["totals"]["executed"]), (&"failed".into(), &2.into()));
    let text = both(&project.compt(&["runs"]));
    assert!(text.contains("failed  c  2 run, 1 failed, 1 skipped in "), "{text}");
    let text = both(&project.compt(&["runs", listed[0]["run"].as_str().unwrap()]));
    assert!(text.contains("retry") && text.contains("skipped") && text.contains("run finished"), "{text}");
    assert_eq!(project.compt(&["runs", "1999"]).status.code(), Some(2));
}

#[test]
fn the_journal_of_a_killed_run_ends_where_it_was_killed() {
    let project = commands(&[stage("a", "echo a > out", ""), stage("b", "sleep 600", ", from: a")].concat());
    let mut runner = project.start(&["run", "pipelines/c.yaml"]);
    until("`b` has begun", || {
        let output = project.compt(&["runs", "last", "--json"]);
        String::from_utf8_lossy(&output.stdout).matches("\"started\"").count() == 2
    });
    let state = |project: &Project| {
        let listed: Value = serde_json::from_slice(&project.compt(&["runs", "--json"]).stdout).unwrap();
        listed[0]["outcome"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(&project), "running");
    runner.kill().unwrap();
    runner.wait().unwrap();
    assert_eq!(state(&project), "died");
    assert_eq!(course(&project, "a"), ["queued", "started", "finished"]);
    assert_eq!(course(&project, "b"), ["queued", "started"]);
    // What is torn is passed over.
    let (name, _) = project.files(".compt/runs").into_iter().next().unwrap();
    let path = format!(".compt/runs/{name}");
    let text = project.read(&path);
    project.write(&path, &text[..text.len() - 10]);
    assert_eq!(course(&project, "b"), ["queued"]);
}

#[test]
fn a_command_hears_how_the_run_ended() {
    let project = commands(&[stage("a", "echo a > out", ""), stage("b", "exit 3", "")].concat());
    let hook = "cat > heard.json; env | grep ^COMPT_ | sort > heard.txt";
    let heard = |project: &Project| -> (Value, String) {
        let pair = (serde_json::from_str(&project.read("heard.json")).unwrap(), project.read("heard.txt"));
        fs_err::remove_file(project.path("heard.json")).unwrap();
        pair
    };
    let output = project.command(&["run", "pipelines/c.yaml"]).env("COMPT_NOTIFY", hook).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", both(&output));
    let (line, variables) = heard(&project);
    assert_eq!((&line["outcome"], &line["exit_code"], &line["pipeline"]), (&"failed".into(), &4.into(), &"c".into()));
    assert_eq!((&line["failures"][0]["stage"], &line["totals"]["executed"]), (&"b".into(), &1.into()));
    assert_eq!(line["run"], journal(&project)[0]["run"]);
    for wanted in [
        "COMPT_RUN_OUTCOME=failed\n",
        "COMPT_RUN_EXIT_CODE=4\n",
        "COMPT_RUN_FAILED_STAGES=b\n",
        "COMPT_RUN_EXECUTED=1\n",
        "COMPT_RUN_MESSAGE=c: failed (1 of 2 stages failed), 2 stages: 1 run, 0 cached, 1 failed in ",
    ] {
        assert!(variables.contains(wanted), "{wanted}: {variables}");
    }
    assert!(!variables.contains("COMPT_NOTIFY"), "a run in a hook would call itself: {variables}");

    project.write("pipelines/c.yaml", &format!("name: c\nstages:\n{}", stage("a", "echo a > out", "")));
    assert!(run(&project, &["--notify", hook]).status.success());
    let (line, variables) = heard(&project);
    assert_eq!((&line["outcome"], &line["exit_code"]), (&"done".into(), &0.into()));
    assert!(variables.contains("COMPT_RUN_MESSAGE=c: done, 1 stage: 0 run, 1 cached in "), "{variables}");
    // A run that was too short to speak of.
    assert!(run(&project, &["--notify", hook, "--notify-after", "1h"]).status.success());
    assert!(!project.path("heard.json").exists());
    // A command that fails changes nothing but is told.
    let failing = run(&project, &["--notify", "echo no network >&2; exit 9"]);
    assert!(failing.status.success(), "{}", both(&failing));
    let said = "warning: the run is over, but `--notify` was not heard: it ended with exit status: 9: no network";
    assert!(both(&failing).contains(said), "{}", both(&failing));
}

#[test]
fn a_command_hears_of_an_interrupt() {
    let project = commands(&stage("a", "sleep 600", ""));
    let mut runner = project.start(&["run", "pipelines/c.yaml", "--notify", "cat > heard.json"]);
    until("`a` has begun", || both(&project.compt(&["runs", "last", "--json"])).contains("\"started\""));
    let interrupt = |meaning: &str| {
        Command::new("kill").args(["-INT", &runner.id().to_string()]).status().unwrap();
        let meaning = Value::from(meaning);
        until("the signal is heard", || journal(&project).iter().any(|line| line["meaning"] == meaning));
    };
    // A third signal would end the runner at once.
    interrupt("drain");
    interrupt("kill");
    let ended = runner.wait().unwrap();
    assert_eq!(ended.code(), Some(130));
    assert_eq!(course(&project, "a"), ["queued", "started", "stopped"]);
    let line: Value = serde_json::from_str(&project.read("heard.json")).unwrap();
    assert_eq!((&line["outcome"], &line["exit_code"]), (&"interrupted".into(), &130.into()));
}

/// A stage that says when it has begun, counts how often, and waits for the file `go`.
fn gated(project: &Project) -> String {
    let (begun, go) = (project.path("begun").display().to_string(), project.path("go").display().to_string());
    let line = format!("echo $$ >> {begun}; until [ -e {go} ]; do sleep 0.01; done; echo made > out");
    format!("name: c\nstages:\n{}{}", stage("a", &line, ""), stage("b", "cat inputs/a/out > out", ", from: a"))
}

/// Two runners, each with its own idea of what there is to do, and the events that the second one prints.
#[test]
fn a_second_runner_waits_for_the_first_and_takes_its_result() {
    let project = Project::new();
    project.write("pipelines/c.yaml", &gated(&project));
    let mut first = project.start(&["run", "pipelines/c.yaml"]);
    until("`a` has begun", || project.path("begun").exists());
    let events = project.path("events");
    let mut command = project.command(&["run", "pipelines/c.yaml", "--json", "--outputs", "others"]);
    let mut second = command.stdout(std::fs::File::create(&events).unwrap()).spawn().unwrap();
    let seen = || fs_err::read_to_string(&events).unwrap();
    until("the second one waits", || seen().contains("\"event\":\"waiting\""));
    assert!(seen().contains(&format!("process {} on", first.id())), "{}", seen());
    project.write("go", "");
    assert!(first.wait().unwrap().success() && second.wait().unwrap().success(), "{}", seen());
    assert_eq!(project.read("begun").lines().count(), 1, "`a` was made once");
    // `b` is of the one that came first to it.
    let executed = crate::project::executed(&seen());
    assert!(executed.is_empty() || executed == ["b"], "{executed:?}");
    assert!(seen().contains("\"event\":\"cached\",\"stage\":\"a\""), "{}", seen());
    let listed: Value = serde_json::from_slice(&project.compt(&["runs", "--json"]).stdout).unwrap();
    let counts = |name: &str| (0..2).map(|run| listed[run]["totals"][name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((counts("executed"), counts("cached"), counts("failed")), (2, 2, 0), "{listed}");
}

#[test]
fn a_second_runner_takes_over_from_one_that_was_killed() {
    let project = Project::new();
    project.write("pipelines/c.yaml", &gated(&project));
    let mut first = project.start(&["run", "pipelines/c.yaml"]);
    until("`a` has begun", || project.path("begun").exists());
    let said = project.path("said");
    let mut command = project.command(&["run", "pipelines/c.yaml"]);
    let mut second =
        command.stderr(std::fs::File::create(&said).unwrap()).stdout(std::process::Stdio::null()).spawn().unwrap();
    let seen = || fs_err::read_to_string(&said).unwrap();
    let holder = format!("process {} on", first.id());
    until("the second one waits", || seen().contains("wait   a: ") && seen().contains(&holder));
    first.kill().unwrap();
    first.wait().unwrap();
    until("the second one has begun `a`", || project.read("begun").lines().count() == 2);
    project.write("go", "");
    assert!(second.wait().unwrap().success(), "{}", seen());
    let text = seen();
    let message = text.lines().find(|line| line.starts_with("warning: ")).unwrap_or_else(|| panic!("{text}"));
    assert!(message.contains(&holder), "{message}");
    assert!(message.ends_with("died while it was making `a`; it is started again"), "{message}");
    assert!(text.contains("2 stages: 2 run, 0 cached"), "{text}");
    // Nothing is left that another run would stumble over, and what the first one had started is gone.
    assert_eq!(fs_err::read_dir(project.path(".compt/locks")).unwrap().count(), 0);
    let pid = project.read("begun").lines().next().unwrap().to_owned();
    until_gone(&pid);
    let checked = project.compt(&["fsck"]);
    assert!(checked.status.success(), "{}", both(&checked));
}

/// Nobody waited: the next run says whose work it takes up, and whether anything of it was kept.
#[test]
fn a_run_says_who_died_before_it() {
    for (checkpoints, ending) in [("", "it is started again"), (", checkpoints: true", "this run goes on from there")] {
        let project = Project::new();
        let begun = project.path("begun").display().to_string();
        let line = format!(
            "[ -z \"$COMPT_CHECKPOINTS\" ] || echo half > \"$COMPT_CHECKPOINTS/state\"; \
             [ -e {begun} ] || {{ touch {begun}; sleep 600; }}; echo made > out"
        );
        project.write("pipelines/c.yaml", &format!("name: c\nstages:\n{}", stage("a", &line, checkpoints)));
        let mut first = project.start(&["run", "pipelines/c.yaml"]);
        until("`a` has begun", || project.path("begun").exists());
        let id = first.id();
        first.kill().unwrap();
        first.wait().unwrap();
        let output = run(&project, &[]);
        assert!(output.status.success(), "{}", both(&output));
        let host = fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let said = format!("warning: process {id} on `{}` died while it was making `a`; {ending}\n", host.trim());
        assert!(both(&output).contains(&said), "`{said}` is missing in: {}", both(&output));
    }
}

/// As typed: for what may pass, as a program that somebody killed, and not for one that says itself that it failed.
#[test]
fn what_may_pass_is_tried_again_as_often_as_is_said() {
    for (line, retries, expected) in [
        ("kill -9 $$", &["--retries", "1"][..], &["queued", "started", "retry"][..]),
        ("kill -9 $$", &[], &["queued", "started", "failed"]),
        ("exit 3", &["--retries", "1"], &["queued", "started", "failed"]),
    ] {
        let project = commands(&stage("a", line, ""));
        let mut runner = project.start(&[&["run", "pipelines/c.yaml"], retries].concat());
        until("it has failed once", || {
            let said = both(&project.compt(&["runs", "last", "--json"]));
            said.contains("\"retry\"") || said.contains("\"failed\"")
        });
        // The next attempt may have begun meanwhile.
        let course = course(&project, "a");
        assert_eq!(course[..expected.len()], *expected, "{line}: {course:?}");
        if expected.ends_with(&["retry"]) {
            let lines = journal(&project);
            let retry = lines.iter().find(|line| line["event"] == "retry").unwrap();
            assert_eq!((&retry["attempt"], &retry["wait_seconds"]), (&1.into(), &10.0.into()));
            Command::new("kill").args(["-INT", &runner.id().to_string()]).status().unwrap();
        }
        runner.wait().unwrap();
    }
}

#[test]
fn short_stages_share_workers() {
    for jobs in [1, 2] {
        let project = Project::new();
        let jobs_text = jobs.to_string();
        project.run(&["--set", "epochs=1", "--jobs", &jobs_text]);
        let lines = journal(&project);
        let started = lines.iter().filter(|line| line["event"] == "started");
        let of_workers: Vec<u64> = started.filter_map(|line| line["worker"].as_u64()).collect();
        let processes: std::collections::BTreeSet<u64> = of_workers.iter().copied().collect();
        assert_eq!(of_workers.len(), 12, "4 trainings and 8 evaluations");
        assert!((1..=jobs).contains(&processes.len()), "{processes:?} with --jobs {jobs}");
    }
}

#[test]
fn after_a_failure_a_run_goes_on_or_stops_as_it_is_told() {
    let stages = [
        stage("a", "exit 3", ""),
        stage("b", "echo b > out", ""),
        stage("c", "cat inputs/a/out > out", ", from: a"),
        stage("d", "cat inputs/b/out > out", ", from: b"),
    ];
    for (flags, executed, skipped, left) in [
        (&[][..], 2, 1, 0),
        (&["--keep-going"], 2, 1, 0),
        (&["--fail-fast"], 0, 1, 2),
        (&["--fail-fast", "--keep-going"], 2, 1, 0),
        (&["--keep-going", "--fail-fast"], 0, 1, 2),
    ] {
        let project = commands(&stages.concat());
        // With one job, what goes first is what has priority.
        project.edit("pipelines/c.yaml", "  a:\n", "  a:\n    policy: { priority: 1 }\n");
        let output = run(&project, &[&["--jobs", "1"], flags].concat());
        assert_eq!(output.status.code(), Some(4), "{flags:?}: {}", both(&output));
        let lines = journal(&project);
        let last = lines.last().unwrap();
        let counts = ["executed", "failed", "skipped", "left"].map(|name| last[name].as_u64().unwrap());
        assert_eq!(counts, [executed, 1, skipped, left], "{flags:?}");
        let again = run(&project, &["--keep-going"]);
        assert_eq!(course(&project, "d").last().unwrap(), if executed == 2 { "cached" } else { "finished" });
        assert_eq!(again.status.code(), Some(4), "what failed is tried again");
    }
}

#[test]
fn a_file_that_goes_during_a_run_is_no_fault_of_the_output_folder() {
    let project = Project::new();
    let file = project.path("pipelines/c.yaml");
    let removes = stage("a", &format!("rm '{}'; echo a > out", file.display()), "");
    project.write("pipelines/c.yaml", &format!("name: c\nstages:\n{removes}"));
    let output = run(&project, &[]);
    let text = both(&output);
    assert_eq!(output.status.code(), Some(5), "{text}");
    assert!(text.contains("`pipelines/c.yaml`: No such file") && !text.contains("--outputs"), "{text}");
}

#[test]
fn a_program_whose_time_is_up_ends_with_all_that_it_has_started() {
    let project = Project::new();
    let child = project.path("child").display().to_string();
    let line = format!("sleep 600 & echo $! > {child}; wait");
    project.write("pipelines/c.yaml", &format!("name: c\nstages:\n{}", stage("a", &line, "")));
    // A machine that is busy may need more time to start the child: what failed is tried again with more.
    for limit in ["1s", "4s", "16s", "60s"] {
        let output = run(&project, &["--timeout", limit]);
        assert_eq!(output.status.code(), Some(5), "{}", both(&output));
        let said = format!("it took longer than {limit}, which is its `timeout`");
        assert!(both(&output).contains(&said), "{}", both(&output));
        if fs_err::read_to_string(project.path("child")).is_ok_and(|text| text.ends_with('\n')) {
            break;
        }
    }
    let child = project.read("child").trim().to_owned();
    until("the child is gone", || {
        let state = fs_err::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z")
    });
}

/// What a run learns of a stage by its axis values is used by the next one for a cell that it has not seen.
#[test]
fn what_is_expected_of_a_stage_is_learnt_from_its_other_cells() {
    let project = Project::new();
    let stages = "name: c\naxes:\n  wait: [slow, fast]\n  seed: [1, 2]\nstages:\n  a:\n    \
                  matrix: { wait: axes.wait, seed: axes.seed }\n    run: { command: { program: [sh, -c, \
                  'echo $COMPT_PARAM_SEED > out'], outputs: [out], \
                  parameters: { wait: \"${wait}\", seed: \"${seed}\" } } }\n";
    project.write("pipelines/c.yaml", stages);
    assert!(run(&project, &["--jobs", "1"]).status.success());
    // What they took is as noted, whatever this machine has to do besides.
    let noted = project.read(".compt/durations");
    let slower = noted.lines().filter(|line| !line.is_empty()).map(|line| {
        let mut run: Value = serde_json::from_str(line).unwrap();
        run[3] = if line.contains("slow") { 8.0 } else { 0.5 }.into();
        format!("{run}\n")
    });
    project.write(".compt/durations", &slower.collect::<String>());
    let expected = |project: &Project| -> Vec<(String, f64, String)> {
        let lines = journal(project);
        let started = lines.iter().filter(|line| line["event"] == "started");
        let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
        started
            .map(|line| (text(line, "stage"), line["expected_seconds"].as_f64().unwrap(), text(line, "expected_by")))
            .collect()
    };
    assert!(run(&project, &["--jobs", "1", "--set", "seed=[1, 2, 3]"]).status.success());
    let new = expected(&project);
    assert_eq!(new.len(), 2, "{new:?}");
    assert!(new.iter().all(|(.., by)| by == "stage"), "{new:?}");
    // Longest first: `slow` is known to be slow, also with a seed that is new.
    assert_eq!((new[0].0.as_str(), new[1].0.as_str()), ("a[wait=slow,seed=3]", "a[wait=fast,seed=3]"));
    // `slow` is nearer to what its value took than to the other's: 2 lies between 0.5 and 8 by the same factor. What is expected
    // of `fast` grows when `slow` has taken long just now.
    assert!(new[0].1 > 2.0 && new[1].1 < new[0].1, "{new:?}");
    // The same work again, and the same cells with something else.
    assert!(run(&project, &["--jobs", "1", "--force"]).status.success());
    assert!(expected(&project).iter().all(|(.., by)| by == "key"), "{:?}", expected(&project));
    project.edit("pipelines/c.yaml", "echo $COMPT_PARAM_SEED", "echo again $COMPT_PARAM_SEED");
    assert!(run(&project, &["--jobs", "1"]).status.success());
    assert!(expected(&project).iter().all(|(.., by)| by == "cell"), "{:?}", expected(&project));
}
