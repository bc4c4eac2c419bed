//! Programs as stages: what they get, what is kept of what they write, and how they end.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Output;

use crate::project::{Project, both, executed, quote, until};

/// A project with one pipeline of commands, `pipelines/c.yaml`.
fn project(stages: &str) -> Project {
    let project = Project::new();
    project.write("pipelines/c.yaml", &format!("name: c\nstages:\n{stages}"));
    project
}

/// A project whose only stage, `say`, runs a line of shell.
fn shell(line: &str, more: &str) -> Project {
    project(&format!("  say:\n    run:\n      command:\n        program: [sh, -c, {}]\n{more}", quote(line)))
}

fn run(project: &Project) -> Output {
    project.compt(&["run", "pipelines/c.yaml", "--json"])
}

/// Runs; it must succeed. Returns which stages were executed.
fn ran(project: &Project) -> Vec<String> {
    let output = run(project);
    assert!(output.status.success(), "{}", both(&output));
    executed(&String::from_utf8_lossy(&output.stdout))
}

/// Runs; it must fail. Returns what it said.
fn refused(project: &Project, code: i32) -> String {
    let output = project.compt(&["run", "pipelines/c.yaml"]);
    assert_eq!(output.status.code(), Some(code), "{}", both(&output));
    both(&output)
}

fn log(project: &Project, stage: &str) -> String {
    both(&project.compt(&["show", "pipelines/c.yaml", stage, "--log"]))
}

/// The example of the documentation, as it stands there: the pipeline and its script.
fn example() -> Project {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md");
    let text = fs_err::read_to_string(document).unwrap();
    let block = |language: &str| {
        let (_, rest) = text.split_once(&format!("```{language}\n")).unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    };
    let project = Project::new();
    project.write("pipelines/c.yaml", &block("yaml"));
    project.write("scripts/fit.py", &block("python"));
    project
}

#[test]
fn the_example_of_the_documentation_runs() {
    let project = example();
    let first = ran(&project);
    assert_eq!(first.len(), 9, "2 data, 6 fits, 1 table: {first:?}");
    let table = project.read("outputs/words/table/table.csv");
    assert!(table.contains("rte") && table.contains("mrpc"), "{table}");
    assert_eq!(ran(&project), Vec::<String>::new());
    // A declared file counts; a file that no stage names does not.
    project.write("scripts/other.py", "print('nobody reads this')\n");
    assert_eq!(ran(&project), Vec::<String>::new());
    project.edit("scripts/fit.py", "import csv", "import csv  # a comment");
    // The scores are the same bytes, so the table stands.
    assert_eq!(ran(&project).len(), 6);
}

#[test]
fn words_pass_unharmed_and_parameters_come_with_their_types() {
    let words = ["two words", "it's", "a\"b", "$HOME", "*", "é\u{1f600}", "", "back\\slash", "; rm -rf /"];
    let listed: Vec<String> = words.iter().map(|word| quote(word)).collect();
    let script = "import json, os, sys\nwith open('got.json', 'w') as f:\n    json.dump([sys.argv[1:], \
                  json.load(open('parameters.json')), os.environ['COMPT_PARAM_K'], os.environ['COMPT_PARAM_RATE'], \
                  os.environ['COMPT_PARAM_TASKS']], f)\n";
    let project = project(&format!(
        "  say:\n    matrix: {{ k: [8] }}\n    run:\n      command:\n        program: [python3, got.py, {}, \"${{k}}\", 1e-5]\n        \
         files: [got.py]\n        parameters: {{ k: \"${{k}}\", rate: 0.00001, tasks: [a, b] }}\n        outputs: [got.json]\n        \
         publish: true\n",
        listed.join(", ")
    ));
    project.write("got.py", script);
    ran(&project);
    let got: serde_json::Value = serde_json::from_str(&project.read("outputs/c/say,k=8/got.json")).unwrap();
    let mut expected: Vec<&str> = words.to_vec();
    expected.extend(["8", "1e-5"]);
    assert_eq!(got[0], serde_json::json!(expected));
    assert_eq!(got[1], serde_json::json!({"k": 8, "rate": 0.00001, "tasks": ["a", "b"]}));
    assert_eq!((&got[2], &got[3], &got[4]), (&"8".into(), &"1e-5".into(), &"[\"a\",\"b\"]".into()));
}

/// Small files are copies, and others links; neither may be changed, and only what a link leads to is damaged by that.
#[test]
fn a_stage_reads_others_and_may_not_change_them() {
    for (content, is_link) in [("echo \"$COMPT_PARAM_N\"", false), ("printf \"%05000d\\n\" \"$COMPT_PARAM_N\"", true)] {
        let make = format!(
            "  make:\n    matrix: {{ n: [1, 2] }}\n    run: {{ command: {{ program: [sh, -c, {}], \
             parameters: {{ n: \"${{n}}\" }}, outputs: [a] }} }}\n",
            quote(&format!("{content} > a"))
        );
        let sum = |line: &str| {
            let line = quote(line);
            format!(
                "{make}  sum:\n    matrix: {{}}\n    run: {{ command: {{ from: make, program: [sh, -c, {line}], outputs: [all], \
                 publish: true }} }}\n"
            )
        };
        let kind = if is_link { "-L" } else { "! -L" };
        let first = project(&sum(&format!(
            "for a in inputs/*/a; do test {kind} \"$a\" || exit 3; done; cat inputs/*/a | tr -d 0 > all; cat inputs.json >&2"
        )));
        assert_eq!(ran(&first).len(), 3);
        assert_eq!(first.read("outputs/c/sum/all"), "1\n2\n");
        assert!(log(&first, "sum").contains("inputs/make[n=1]"), "{}", log(&first, "sum"));

        let spoils = "cd inputs; chmod u+w */a; echo more >> 'make[n=2]/a'; echo > ../all";
        let spoiling = project(&sum(spoils));
        let said = refused(&spoiling, 4);
        assert!(said.contains("changed what it was given to read: `inputs/make[n="), "{said}");
        let replaced = project(&sum("mv 'inputs/make[n=2]/a' b; echo 3 > 'inputs/make[n=2]/a'; echo > all"));
        assert!(refused(&replaced, 4).contains("changed what it was given to read: `inputs/make[n=2]/a`"));
        // A result that was damaged is made again.
        spoiling.edit("pipelines/c.yaml", spoils, "echo > all");
        assert_eq!(ran(&spoiling).len(), 1 + usize::from(is_link));
    }
}

/// What programs are given is used again. Whatever a program has done to it, the next one finds what it reads, and no more.
#[test]
fn what_a_program_does_to_what_it_reads_is_not_seen_by_the_next() {
    let stage = |name: &str, from: &str, line: &str| {
        let line = quote(line);
        format!(
            "  {name}:\n    matrix: {{}}\n    run: {{ command: {{ {from}program: [sh, -c, {line}], outputs: [a] }} }}\n"
        )
    };
    let look = "find inputs | sort > a; test \"$(stat -c %a inputs inputs/*)\" = \"$(stat -c %a . . .)\" || exit 3";
    let text = [
        stage("one", "", "echo 1 > a"),
        stage("two", "from: one, ", "cat inputs/one/a > a"),
        stage("removes", "from: [one, two], ", "rm inputs/one/a; echo > a"),
        stage("first", "from: [two, removes], ", look),
        stage("changes", "from: [one, first], ", "chmod 700 inputs/one; echo > a"),
        stage("second", "from: [two, changes], ", look),
        stage("adds", "from: [one, second], ", "echo > inputs/one/b; mkdir inputs/c; echo > a"),
        // No text has changed, which is all that counts.
        stage(
            "opens",
            "from: [one, adds], ",
            "chmod u+w inputs/one/a; touch inputs/one/a; ln inputs/one/a b; rm b; echo > a",
        ),
        stage(
            "keeps",
            "from: [two, opens], ",
            "test \"$(stat -c %a inputs/*/a | sort -u)\" = 444 || exit 3; ln inputs/two/a a",
        ),
        stage("third", "from: [two, keeps], ", &format!("{look}; cat inputs/two/a inputs/keeps/a a >&2")),
    ];
    let project = project(&text.concat());
    assert_eq!(ran(&project).len(), text.len());
    let all = ["inputs", "inputs/keeps", "inputs/keeps/a", "inputs/two", "inputs/two/a"].join("\n");
    let said: Vec<String> =
        log(&project, "third").lines().filter_map(|line| Some(line.split_once("] inputs")?.1.to_owned())).collect();
    let said: Vec<String> = said.iter().map(|line| format!("inputs{line}")).collect();
    assert_eq!(said.join("\n"), all);
    assert_eq!(fs_err::read_dir(project.path(".compt/scratch")).unwrap().count(), 0);
}

/// No folder for checkpoints, and no notes of nothing; with `checkpoints: true` that folder, which is gone afterwards.
#[test]
fn a_program_finds_what_its_stage_asks_for() {
    let published = "        outputs: [a]\n        publish: true\n";
    let project = shell("[ -z \"$COMPT_CHECKPOINTS\" ] && ls -A > a", published);
    ran(&project);
    assert_eq!(project.read("outputs/c/say/a"), "a\n");

    let line = "cd \"$${COMPT_CHECKPOINTS:?}\" && echo half > state && pwd > \"$OLDPWD/a\"";
    let project = shell(line, &format!("{published}        checkpoints: true\n"));
    ran(&project);
    let folder = project.read("outputs/c/say/a");
    let scratch = project.path(".compt/scratch").canonicalize().unwrap();
    assert_eq!(Path::new(folder.trim_end()).parent(), Some(scratch.as_path()));
    assert_eq!(fs_err::read_dir(scratch).unwrap().count(), 0);
}

#[test]
fn a_missing_output_is_named_with_what_was_written_instead() {
    let project =
        shell("echo 1 > metrics.jsn; mkdir figures; echo 2 > figures/a.svg", "        outputs: [metrics.json]\n");
    let said = refused(&project, 4);
    assert!(said.contains("`metrics.json` is not there; it wrote `figures/a.svg`, `metrics.jsn`"), "{said}");
    assert!(said.contains("did you mean `metrics.jsn`?"), "{said}");
}

#[test]
fn undeclared_writes_are_reported_and_not_kept() {
    let line = "echo 1 > kept; echo 2 > left; mkdir d; echo 3 > d/x.png; echo 4 > d/y.log; echo 5 > inputs.json";
    let project = shell(line, "        outputs: [kept, \"d/*.png\"]\n        publish: true\n");
    let output = project.compt(&["run", "pipelines/c.yaml"]);
    assert!(output.status.success(), "{}", both(&output));
    assert!(
        both(&output).contains("undeclared writes, which are not kept: `d/y.log`, `inputs.json`, `left`"),
        "{}",
        both(&output)
    );
    let kept: Vec<String> = project.files("outputs/c/say").into_keys().collect();
    assert_eq!(kept, ["d/x.png", "kept"]);
    let show = both(&project.compt(&["show", "pipelines/c.yaml", "say", "--json"]));
    assert!(show.contains("undeclared_writes") && show.contains("d/y.log"), "{show}");
}

/// A large result is not written twice: the folder of the program is that of the result, without what it was given.
#[test]
fn the_folder_of_a_program_becomes_its_result() {
    let make = "  make:\n    run: { command: { program: [sh, -c, 'echo 1 > a'], outputs: [a] } }\n";
    let line = quote("ls -di . > number; mkdir -p own/inner; cat inputs/make/a > own/inner/b; mkdir nothing");
    let project = project(&format!(
        "{make}  say:\n    run:\n      command: {{ from: make, program: [sh, -c, {line}], outputs: [number, own] }}\n"
    ));
    assert_eq!(ran(&project).len(), 2);
    let shown = project.compt(&["show", "pipelines/c.yaml", "say", "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    let output = shown[0]["output"].as_str().unwrap();
    let folder = format!(".compt/objects/{}/{output}", &output[..1]);
    let number = fs_err::metadata(project.path(&folder)).unwrap().ino().to_string();
    assert_eq!(project.read(&format!("{folder}/number")).split_whitespace().next(), Some(number.as_str()));
    let files: Vec<String> = project.files(&folder).into_keys().collect();
    assert_eq!(files, ["number", "own/inner/b"]);
    let folders =
        fs_err::read_dir(project.path(&folder)).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(folders.count(), 1, "neither `inputs` nor the empty `nothing`");
    assert_eq!(fs_err::read_dir(project.path(".compt/scratch")).unwrap().count(), 0);
}

#[test]
fn links_that_leave_the_folder_are_no_results() {
    let inside = shell("echo 1 > a; ln -s a b", "        outputs: [b]\n        publish: true\n");
    ran(&inside);
    assert_eq!(inside.read("outputs/c/say/b"), "1\n");
    let outside = shell("ln -s /etc/passwd b", "        outputs: [b]\n");
    assert!(refused(&outside, 4).contains("is a link to `/etc/passwd`"));
}

#[test]
fn only_named_variables_reach_a_program_and_secrets_are_written_nowhere() {
    let stage = |more: &str| shell("env | sort > all; echo \"token is $TOKEN\"", more);
    let project = stage(
        "        outputs: [all]\n        secrets: [TOKEN]\n        variables: { MODE: fast }\n        publish: true\n",
    );
    let secret = "s3cret-value-7";
    let with = |project: &Project, arguments: &[&str]| {
        project.command(arguments).env("TOKEN", secret).env("UNDECLARED_ONE", "1").output().unwrap()
    };
    let missing = refused(&project, 5);
    assert!(missing.contains("the secret `TOKEN` is not in the environment"), "{missing}");
    let output = with(&project, &["run", "pipelines/c.yaml"]);
    assert!(output.status.success(), "{}", both(&output));
    let seen = project.read("outputs/c/say/all");
    assert!(
        seen.contains("MODE=fast") && seen.contains("PATH=") && seen.contains(&format!("TOKEN={secret}")),
        "{seen}"
    );
    assert!(!seen.contains("UNDECLARED_ONE") && !seen.contains("NO_COLOR"), "{seen}");
    // The program wrote its environment down itself; nothing of ours has the value.
    for (name, bytes) in project.files(".compt") {
        assert!(name.starts_with("objects/") || !String::from_utf8_lossy(&bytes).contains(secret), "{name}");
    }
    assert!(log(&project, "say").contains("token is [TOKEN]"));
    // Another value is the same key.
    let again = project.command(&["run", "pipelines/c.yaml"]).env("TOKEN", "another").output().unwrap();
    assert!(both(&again).contains("1 cached"), "{}", both(&again));
}

#[test]
fn a_program_that_fails_is_explained_with_its_last_words() {
    let code = refused(&shell("echo first; echo last >&2; exit 3", "        outputs: []\n"), 4);
    assert!(
        code.contains("`sh` ended with code 3; its last words:") && code.contains("first") && code.contains("last"),
        "{code}"
    );
    // What to type is a line that a shell understands.
    let spaced = project("");
    spaced.write(
        "pipelines/my c.yaml",
        "name: c\nstages:\n  say: { run: { command: { program: [\"false\"], outputs: [] } } }\n",
    );
    let said = both(&spaced.compt(&["run", "pipelines/my c.yaml"]));
    assert!(said.contains("`compt show 'pipelines/my c.yaml' say --log` prints the log"), "{said}");
    let signal = refused(&shell("kill -SEGV $$", "        outputs: []\n"), 4);
    assert!(signal.contains("`sh` crashed with signal 11"), "{signal}");
    let absent = project("  say:\n    run: { command: { program: [no-such-program], outputs: [] } }\n");
    assert!(refused(&absent, 5).contains("`no-such-program` can't be started"));
}

#[test]
fn wrong_parameters_are_refused_at_their_place() {
    let project =
        project("  say:\n    run:\n      command:\n        program: \"python3 fit.py\"\n        outputs: [a]\n");
    let said = refused(&project, 3);
    assert!(said.contains("for a line of shell write `[sh,") && said.contains("c.yaml:6:18"), "{said}");
    project.write(
        "pipelines/c.yaml",
        "name: c\nstages:\n  say:\n    run:\n      command:\n        program: [python3, scripts/fit.py]\n        \
         files: [scripts/fti.py, ../x]\n        outputs: [inputs/a, /b]\n        variables: { 9X: 1 }\n        \
         environment: [COMPT_CACHE]\n",
    );
    project.write("scripts/fit.py", "");
    let said = refused(&project, 3);
    for part in [
        "the project has no file or folder `scripts/fti.py`",
        "did you mean `scripts/fit.py`?",
        "`../x` leaves the folder",
        "`inputs/a` is where the program finds what it is given",
        "`/b` leaves the folder",
        "`9X` can't be the name of a variable",
        "names with `COMPT_` are set by compt",
        "c.yaml:7:17",
    ] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
}

#[test]
fn what_a_program_has_damaged_reaches_no_stage_after_it() {
    let project = Project::new();
    // `harms` goes first. It may write what it can make writable, as the superuser may anyway.
    let stage = |name: &str, more: &str, line: &str, output: &str| {
        let command = format!("{{ {more}program: [sh, -c, {}], outputs: [{output}], publish: true }}", quote(line));
        format!("  {name}:\n    run: {{ command: {command} }}\n")
    };
    let stages = [
        stage("makes", "", "head -c 9000 /dev/zero > large", "large"),
        stage(
            "harms",
            "from: makes, ",
            "chmod u+w inputs/makes/large; echo more >> inputs/makes/large; echo 1 > out",
            "out",
        ),
        stage("reads", "from: makes, ", "wc -c < inputs/makes/large > out", "out"),
    ];
    let text = format!("name: c\nstages:\n{}", stages.concat())
        .replace("  harms:\n", "  harms:\n    policy: { priority: 1 }\n");
    project.write("pipelines/c.yaml", &text);
    let run = |more: &[&str]| {
        project.compt(&[&["run", "pipelines/c.yaml", "--jobs", "1", "--resource", "cpu=1"], more].concat())
    };
    let said = both(&run(&[]));
    assert!(
        said.contains("failed harms: the program changed what it was given to read: `inputs/makes/large`"),
        "{said}"
    );
    assert!(
        said.contains("failed reads: a result that it reads was damaged during this run: `large` has 9005 bytes"),
        "{said}"
    );
    assert!(said.contains("run the same command again"), "{said}");
    let again = run(&["--until", "reads"]);
    assert!(again.status.success(), "{}", both(&again));
    assert_eq!(project.read("outputs/c/reads/out").trim(), "9000");
}

#[test]
fn values_that_no_folder_can_be_called_by_are_published_apart() {
    let project = Project::new();
    let run = "{ command: { program: [sh, -c, 'printf %s \"$0\" > out', \"${x}\"], outputs: [out], publish: true } }";
    let text = format!(
        "name: c\naxes: {{ x: [\"a/b\", \"a b\", c] }}\nstages:\n  a: {{ matrix: {{ x: axes.x }}, run: {run} }}\n"
    );
    project.write("pipelines/c.yaml", &text);
    for _ in 0..2 {
        let output = project.compt(&["run", "pipelines/c.yaml"]);
        assert!(output.status.success() && !both(&output).contains("warning"), "{}", both(&output));
    }
    let files = project.files("outputs/c");
    let mut values: Vec<_> =
        files.iter().filter(|(name, _)| name.ends_with("/out")).map(|(_, text)| text.as_slice()).collect();
    values.sort();
    assert_eq!(values, [&b"a b"[..], b"a/b", b"c"]);
    assert!(files.contains_key("a,x=c/out"), "{:?}", files.keys());
}

/// As a compiler that is not done, or another thread that is starting a program, which has open what is open here.
#[test]
fn a_program_that_is_being_written_is_waited_for_but_not_longer_than_wanted() {
    let project = Project::new();
    project.write("tool", "#!/bin/sh\necho whole > out\n");
    let tool = project.path("tool");
    fs_err::set_permissions(&tool, PermissionsExt::from_mode(0o755)).unwrap();
    let command = format!("{{ program: [{}], outputs: [out] }}", quote(&tool.display().to_string()));
    project.write("pipelines/c.yaml", &format!("name: c\nstages:\n  a: {{ run: {{ command: {command} }} }}\n"));
    let writes = fs_err::OpenOptions::new().append(true).open(&tool).unwrap();
    let late = project.compt(&["run", "pipelines/c.yaml", "--timeout", "1s"]);
    assert!(!late.status.success() && both(&late).contains("it took longer than 1s"), "{}", both(&late));
    let logs = || project.files(".compt/logs").len();
    let before = logs();
    let mut runner = project.start(&["run", "pipelines/c.yaml"]);
    until("it waits", || logs() > before);
    assert_eq!(runner.try_wait().unwrap(), None);
    drop(writes);
    assert!(runner.wait().unwrap().success());
}

#[test]
fn gpus_are_handed_out_by_id_and_only_to_programs_that_ask() {
    let project = Project::new();
    let meeting = project.path("meeting").display().to_string();
    fs_err::create_dir(&meeting).unwrap();
    // `one` and `two` each wait for the other, so that both have their GPU at once.
    let both_there = format!(
        "touch \"{meeting}/$COMPT_PARAM_ME\"; n=0; until [ -e \"{meeting}/$COMPT_PARAM_OTHER\" ]; do n=$((n + 1)); \
         [ $n -lt 30000 ] || exit 9; sleep 0.01; done; echo \"$CUDA_VISIBLE_DEVICES\" > gpus"
    );
    let stage = |me: &str, other: &str, line: &str, resources: &str| {
        format!(
            "  {me}:\n    {resources}\n    run:\n      command:\n        program: [sh, -c, {}]\n        \
             parameters: {{ me: {me}, other: {other} }}\n        outputs: [gpus]\n        publish: true\n",
            quote(line)
        )
    };
    let gpu = "resources: { gpu: 1 }";
    let stages = [
        stage("one", "two", &both_there, gpu),
        stage("two", "one", &both_there, gpu),
        stage("three", "nobody", "echo \"[$${CUDA_VISIBLE_DEVICES-unset}]\" > gpus", "title: No GPU"),
    ];
    project.write("pipelines/c.yaml", &format!("name: c\nstages:\n{}", stages.concat()));
    let run = |more: &[&str]| {
        let room = ["run", "pipelines/c.yaml", "--jobs", "2", "--resource", "cpu=2"];
        // What this machine has is not what the run has.
        project.command(&[&room, more].concat()).env("CUDA_VISIBLE_DEVICES", "").output().unwrap()
    };
    let none = run(&[]);
    assert_eq!(none.status.code(), Some(5), "{}", both(&none));
    let said = "it needs 1 `gpu`, but this run has 0\n       hint: name as many with `--gpus`, or lower it";
    assert!(both(&none).contains(said), "{}", both(&none));
    assert!(!both(&none).contains("--device"), "{}", both(&none));
    assert_eq!(project.read("outputs/c/three/gpus"), "[]\n");

    let output = run(&["--gpus", "3,7"]);
    assert!(output.status.success(), "{}", both(&output));
    let mut given = ["one", "two"].map(|stage| project.read(&format!("outputs/c/{stage}/gpus")));
    given.sort();
    assert_eq!(given, ["3\n", "7\n"]);
}

#[test]
fn what_there_is_once_is_used_by_one_program_at_a_time() {
    let project = Project::new();
    let desk = project.path("desk").display().to_string();
    fs_err::create_dir(&desk).unwrap();
    let stages: String = (0..6)
        .map(|k| {
            format!(
                "  s{k}:\n    resources: {{ licence: 1 }}\n    run:\n      command:\n        \
                 program: [sh, -c, 'mkdir \"$DESK/taken\" && sleep 0.1 && rmdir \"$DESK/taken\"', s{k}]\n        \
                 variables: {{ DESK: {} }}\n        outputs: []\n",
                quote(&desk)
            )
        })
        .collect();
    project.write("pipelines/c.yaml", &format!("name: c\nstages:\n{stages}"));
    let output =
        project.compt(&["run", "pipelines/c.yaml", "--jobs", "3", "--resource", "cpu=3", "--resource", "licence=1"]);
    assert!(output.status.success(), "`mkdir` fails where another one is at work: {}", both(&output));
}

#[test]
fn a_changed_copy_of_a_declared_file_is_an_undeclared_write() {
    let project =
        shell("echo more >> given/a.txt; cat given/a.txt > out", "        files: [given]\n        outputs: [out]\n");
    project.write("given/a.txt", "one\n");
    project.write("given/b.txt", "two\n");
    let output = project.compt(&["run", "pipelines/c.yaml"]);
    assert!(output.status.success(), "{}", both(&output));
    assert!(both(&output).contains("undeclared writes, which are not kept: `given/a.txt`;"), "{}", both(&output));
    assert_eq!(project.read("given/a.txt"), "one\n", "it was a copy");
}
