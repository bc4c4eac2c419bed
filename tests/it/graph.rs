//! The graph of a pipeline, as text, pictures and JSON.

use std::process::Command;

use crate::project::{LIGHT as FILE, both, json, light, stdout};

#[test]
fn a_graph_tells_what_reads_what_and_what_is_cached() {
    let project = light();
    let text = stdout(&project.compt(&["graph", FILE]));
    assert!(text.contains("○  data   fetch × 2   to run"), "{text}");
    assert!(text.contains("○  text   format × 4  to run  <- shots"), "{text}");
    assert!(text.contains("● cached   ◐ partly cached   ○ to run"), "{text}");
    stdout(&project.compt(&["run", FILE, "--set", "seed=[1]"]));
    let text = stdout(&project.compt(&["graph", FILE]));
    assert!(text.contains("●  data   fetch × 2   cached"), "{text}");
    assert!(text.contains("◐  shots  sample × 4  2 of 4 cached  <- data"), "{text}");
    let instances = stdout(&project.compt(&["graph", FILE, "--instances"]));
    assert!(instances.contains("shots[task=ripe,seed=2]"), "{instances}");
    let graph = json(&project.compt(&["graph", FILE, "--json"]));
    assert_eq!(graph["nodes"][1]["cached"], 2);
    assert_eq!(graph["nodes"][2]["reads"], serde_json::json!([1]));
}

#[test]
fn a_graph_is_drawn_by_the_name_of_its_file() {
    let project = light();
    for (name, begins) in
        [("g.svg", "<svg "), ("g.dot", "digraph "), ("g.mmd", "flowchart LR"), ("g.txt", "light  Two")]
    {
        stdout(&project.compt(&["graph", FILE, "--output", name]));
        assert!(project.read(name).starts_with(begins), "{}", project.read(name));
    }
    let picture = compt::figure::png(&project.read("g.svg")).unwrap();
    assert!(picture.len() > 1000);
    assert!(project.read("g.svg").contains("Two tasks &lt;a&gt; &amp; "));
    assert!(project.read("g.dot").contains(r#"label="Two tasks <a> & \"b\"""#));
    match Command::new("dot").args(["-Tsvg", "-o", "/dev/null"]).arg(project.path("g.dot")).output() {
        Ok(output) => assert!(output.status.success(), "{}", both(&output)),
        Err(_) => println!("skipped: there is no `dot` to read the graph with"),
    }
}

/// Neither a device nor a link is replaced by a file.
#[test]
fn a_graph_goes_where_it_is_told() {
    let project = light();
    let graph = |output: &str| project.compt(&["graph", FILE, "--output", output]);
    project.write("shared/graph.dot", "old");
    std::os::unix::fs::symlink("shared/graph.dot", project.path("mine.dot")).unwrap();
    assert!(graph("mine.dot").status.success());
    assert!(project.path("mine.dot").is_symlink() && project.read("shared/graph.dot").starts_with("digraph"));
    let pipe = project.path("pipe.svg");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let read = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs_err::read_to_string(pipe).unwrap()
    });
    assert!(graph("pipe.svg").status.success());
    // If it were one, the reader would wait for ever.
    assert!(!pipe.is_file());
    assert!(read.join().unwrap().contains("<svg"));
    std::os::unix::fs::symlink("shared/new.dot", project.path("new.dot")).unwrap();
    assert!(graph("new.dot").status.success());
    assert!(project.path("new.dot").is_symlink() && project.read("shared/new.dot").starts_with("digraph"));
    project.write("notes", "kept\n");
    let notes = fs_err::OpenOptions::new().append(true).open(project.path("notes")).unwrap();
    let mut command = project.command(&["graph", FILE, "--format", "dot", "--output", "/dev/stdout"]);
    assert!(command.stdout(notes.into_file()).status().unwrap().success());
    assert!(project.read("notes").starts_with("kept\ndigraph"));
    let unknown = graph("graph.png");
    assert!(unknown.status.code() == Some(2) && both(&unknown).contains("`.png` is no ending"), "{}", both(&unknown));
}
