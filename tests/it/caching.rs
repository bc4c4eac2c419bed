//! What runs again after a change, and what does not.

use crate::project::{LIGHT, Project, both, light};

/// How many executed stages are of this stage.
fn count(executed: &[String], stage: &str) -> usize {
    executed.iter().filter(|name| *name == stage || name.starts_with(&format!("{stage}["))).count()
}

#[test]
fn only_what_depends_on_a_change_runs() {
    let project = Project::new();
    let first = project.run(&[]);
    // 2 data, 4 shots, 4 texts, 4 fits, 8 scores, 1 table.
    assert_eq!(first.len(), 23, "{first:#?}");
    let results = project.outputs();
    assert!(results.contains_key("toy/table/results.csv") && results.contains_key("toy/table/table.csv"));

    assert_eq!(project.run(&[]), Vec::<String>::new());
    assert_eq!(project.outputs(), results);

    // Neither titles, comments, the order of keys nor the spelling of numbers mean anything.
    project.edit("pipelines/toy.yaml", "title: \"Toy tasks\"", "title: \"Other words\" # and a comment");
    project.edit(
        "pipelines/toy.yaml",
        "{ k: 8, epochs: 6, backbone: ./tiny }",
        "{ epochs: 6.0, backbone: ./tiny, k: 8 }",
    );
    assert_eq!(project.run(&[]), Vec::<String>::new());

    // More shots: the data stay. Whether the table is made again depends on whether so small a model answers otherwise.
    let more = project.run(&["--set", "k=10"]);
    assert_eq!((count(&more, "data"), count(&more, "shots"), count(&more, "fit")), (0, 4, 4));
    // Back again: everything is still there.
    assert_eq!(project.run(&[]), Vec::<String>::new());
}

#[test]
fn what_is_forced_runs_again_and_equal_results_stop_it_there() {
    let project = Project::new();
    project.run(&[]);
    let results = project.outputs();
    // Two seeds of one method; the scores read the same bytes as before.
    let forced = project.run(&["--force=fit[method=spp]"]);
    assert_eq!((forced.len(), count(&forced, "fit")), (2, 2), "{forced:?}");
    assert_eq!(project.run(&["--force"]).len(), 23);
    assert_eq!(project.outputs(), results);
    let output = project.compt(&["run", "pipelines/toy.yaml", "--force=fti"]);
    assert!(output.status.code() == Some(2) && both(&output).contains("`fit`"), "{}", both(&output));
}

#[test]
fn a_changed_row_runs_its_branch_and_stops_where_nothing_changes() {
    let project = Project::new();
    project.run(&[]);
    let drawn: String = project
        .files(".compt/objects")
        .into_iter()
        .filter(|(name, _)| name.ends_with(".jsonl"))
        .map(|(_, bytes)| String::from_utf8(bytes).unwrap())
        .collect();
    let table = project.read("toys/ripe_train.csv");
    let mut lines: Vec<String> = table.lines().map(str::to_owned).collect();
    // A row that occurs once and that no seed has drawn.
    let unused = (1..lines.len())
        .find(|&i| {
            let text = lines[i].rsplit_once(',').unwrap().0;
            !drawn.contains(text) && lines.iter().filter(|line| **line == lines[i]).count() == 1
        })
        .expect("some row is drawn by no seed");
    lines[unused] = "the grape from nowhere was sour,0".to_owned();
    project.write("toys/ripe_train.csv", &(lines.join("\n") + "\n"));
    let executed = project.run(&[]);
    assert_eq!(count(&executed, "data"), 1, "{executed:?}");
    assert!(executed.contains(&"data[task=ripe]".to_owned()));
    assert_eq!(count(&executed, "fit"), 0, "the drawn shots are the same: {executed:?}");
    assert_eq!(count(&executed, "table"), 0);

    // The same rows in another order are other bytes, but the same draw.
    lines[1..].reverse();
    project.write("toys/ripe_train.csv", &(lines.join("\n") + "\n"));
    assert_eq!(count(&project.run(&[]), "fit"), 0);
}

#[test]
fn why_names_the_old_and_the_new_value() {
    let project = Project::new();
    project.run(&[]);
    let output = project.compt(&["why", "pipelines/toy.yaml", "shots[task=ripe,seed=1]", "--set", "k=12"]);
    let text = both(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("shots[task=ripe,seed=1]: to run\n"), "{text}");
    assert!(text.contains("  - parameter `k` changed: 8 -> 12\n"), "{text}");
    let plan = both(&project.compt(&["plan", "pipelines/toy.yaml"]));
    assert!(plan.contains("nothing to run"), "{plan}");
    let show = both(&project.compt(&["show", "pipelines/toy.yaml", "fit[method=spp,seed=1]"]));
    assert!(show.contains("prompts.safetensors") && show.contains("up to date"), "{show}");
    let log = both(&project.compt(&["show", "pipelines/toy.yaml", "fit[method=spp,seed=1]", "--log"]));
    assert!(log.contains("fit[method=spp,seed=1]"), "{log}");
}

#[test]
fn a_published_file_that_was_edited_is_replaced_with_a_warning() {
    let project = light();
    project.edit(LIGHT, "stages:\n", "stages:\n  list:\n    matrix: {}\n    run: { command: { publish: true, program: [sh, -c, \"echo ${k} > a; echo b > b\"], outputs: [a, b] } }\n");
    let run = |more: &[&str]| {
        let output = project.compt(&[&["run", LIGHT][..], more].concat());
        assert!(output.status.success(), "{}", both(&output));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let warned = |text: &str| text.contains("warning: ");
    assert!(!warned(&run(&[])));
    assert!(!warned(&run(&["--set", "k=9"])), "another result replaces what the last run has left");
    assert_eq!(project.read("outputs/light/list/a"), "9\n");
    project.write("outputs/light/list/a", "mine\n");
    let text = run(&["--set", "k=9"]);
    assert!(text.contains("warning: `outputs/light/list/a` was changed since the last run"), "{text}");
    // For programs it is an event.
    project.write("outputs/light/list/a", "mine\n");
    let output = project.compt(&["run", LIGHT, "--set", "k=9", "--json"]);
    let events = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut events = events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let event = events.find(|event| event["what"]["event"] == "warning").unwrap();
    let message = event["what"]["message"].as_str().unwrap();
    assert!(message.starts_with("`outputs/light/list/a` was changed since the last run"), "{message}");
    assert!(output.stderr.is_empty(), "{}", both(&output));
    assert_eq!(project.read("outputs/light/list/a"), "9\n");
    assert!(!warned(&run(&["--set", "k=9"])));
    // Also when there is another result in its place now.
    project.write("outputs/light/list/a", "mine\n");
    project.write("outputs/light/list/b", "mine\n");
    let text = run(&[]);
    assert!(text.contains("`outputs/light/list/a`, `outputs/light/list/b` were changed"), "{text}");
    assert_eq!((&*project.read("outputs/light/list/a"), &*project.read("outputs/light/list/b")), ("8\n", "b\n"));
    // A file that is gone is only put back.
    fs_err::remove_file(project.path("outputs/light/list/a")).unwrap();
    assert!(!warned(&run(&[])) && project.path("outputs/light/list/a").exists());
}

#[test]
fn a_run_note_that_was_edited_is_written_again() {
    let project = light();
    let run = || assert!(project.compt(&["run", LIGHT]).status.success());
    run();
    let note = project.read("outputs/light/run.json");
    run();
    for edited in [note.replace("light", "night"), String::new()] {
        project.write("outputs/light/run.json", &edited);
        run();
        assert_eq!(project.read("outputs/light/run.json"), note);
    }
    fs_err::remove_file(project.path("outputs/light/run.json")).unwrap();
    run();
    assert_eq!(project.read("outputs/light/run.json"), note);
}

#[test]
fn a_damaged_result_is_made_again_with_a_warning() {
    let project = Project::new();
    project.run(&[]);
    let results = project.outputs();
    let (name, _) = project
        .files(".compt/objects")
        .into_iter()
        .find(|(name, _)| name.ends_with("prompts.safetensors"))
        .expect("there are prompts");
    let path = project.path(&format!(".compt/objects/{name}"));
    let folder = path.parent().unwrap();
    // Objects are read-only; a disk fault does not ask.
    for place in [folder, path.as_path()] {
        let mut permissions = fs_err::metadata(place).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
        fs_err::set_permissions(place, permissions).unwrap();
    }
    let mut bytes = fs_err::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs_err::write(&path, bytes).unwrap();
    let output = project.compt(&["run", "pipelines/toy.yaml"]);
    let text = both(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.to_lowercase().contains("warning") && text.contains("prompts.safetensors"), "{text}");
    assert_eq!(project.outputs(), results);
}
