//! What the documents show works: every complete pipeline in them, and in `pipelines/`, passes `compt check`, and every
//! command line in them is understood.

use std::collections::BTreeMap;
use std::path::Path;

use clap::error::ErrorKind;

use crate::project::{Project, both};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The YAML blocks of a Markdown file that are whole pipelines.
fn pipelines_in(document: &str) -> Vec<String> {
    let text = fs_err::read_to_string(root().join(document)).unwrap();
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block);
    blocks
        .filter(|block| block.lines().any(|line| line.starts_with("name:")))
        .filter(|block| block.lines().any(|line| line.starts_with("stages:")))
        .map(str::to_owned)
        .collect()
}

#[test]
fn pipelines_in_the_documents_are_accepted() {
    let project = Project::new();
    // The thirteen data sets are built in: a project needs no files of its own for them.
    // An example may include those of ours, which compare with published numbers.
    for folder in ["pipelines", "datasets/published"] {
        for entry in fs_err::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.ends_with(".yaml") || name.ends_with(".csv") {
                project.write(&format!("{folder}/{name}"), &fs_err::read_to_string(&path).unwrap());
            }
        }
    }
    let mut checked = 0;
    for document in ["README.md", "docs/pipeline-format.md"] {
        for pipeline in pipelines_in(document) {
            project.write("pipelines/shown.yaml", &pipeline);
            let output = project.compt(&["check", "pipelines/shown.yaml"]);
            assert!(output.status.success(), "{document}:\n{pipeline}\n{}", both(&output));
            checked += 1;
        }
    }
    assert!(checked >= 2, "README and the manual each show a whole pipeline");
}

#[test]
fn our_own_pipelines_and_data_sets_are_accepted() {
    let output = Project::new().command(&["check", "--rows", "0"]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", both(&output));
}

#[test]
fn the_workflow_for_ci_works() {
    let project = Project::new();
    for (from, to) in [("epochs: 6", "epochs: 1"), ("[ripe, same]", "[ripe]"), ("seed: [1, 2]", "seed: [1]")] {
        project.edit("pipelines/toy.yaml", from, to);
    }
    let workflow = fs_err::read_to_string(root().join("docs/examples/github-actions.yml")).unwrap();
    let commands: Vec<&str> =
        workflow.lines().filter_map(|line| line.split_once("run: target/debug/compt ")).map(|(_, rest)| rest).collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for line in commands {
        let typed = line.replace("\"$PIPELINE\"", "pipelines/toy.yaml").replace("\"$GITHUB_RUN_NUMBER\"", "3");
        let output = project.compt(&typed.split(' ').collect::<Vec<_>>());
        assert!(output.status.success(), "{typed}: {}", both(&output));
    }
}

/// README and the manual, by name.
fn documents() -> BTreeMap<String, String> {
    let pages = fs_err::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    let named = pages.chain([root().join("README.md")]).map(|path| {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        (name, fs_err::read_to_string(path).unwrap())
    });
    named.collect()
}

/// The words of each command in a line of shell: quotes, comments, pipes and redirections, as far as documents have them.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let (mut quote, mut is_redirected) = (None, false);
    for c in line.chars().chain([' ']) {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ' | ';' | '|' | '&' | '>') => {
                if let Some(word) = word.take()
                    && !std::mem::take(&mut is_redirected)
                {
                    commands.last_mut().unwrap().push(word);
                }
                match c {
                    ' ' => {}
                    '>' => is_redirected = true,
                    _ => commands.push(Vec::new()),
                }
            }
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    commands
}

#[test]
fn lines_of_shell_are_taken_apart() {
    let words = |line: &str| -> Vec<String> { commands(line).iter().map(|words| words.join("+")).collect() };
    assert_eq!(words("a 'b c'  --d=\"e # f\" # and more"), ["a+b c+--d=e # f"]);
    assert_eq!(words("a | b x; c > d e"), ["a", "b+x", "c+e"]);
}

/// The lines of all blocks of shell in a Markdown text, each with those that continue it.
fn lines_of_shell(text: &str) -> Vec<String> {
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block);
    blocks.flat_map(|block| block.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn every_command_line_in_the_documents_is_understood() {
    let mut understood = 0;
    let mut wrong = Vec::new();
    for (name, text) in documents() {
        for words in lines_of_shell(&text).iter().flat_map(|line| commands(line)) {
            // `HF_HUB_OFFLINE=1 compt ...`
            let mut words = words.into_iter().skip_while(|word| word.contains('='));
            if words.next().is_none_or(|program| program.rsplit('/').next() != Some("compt")) {
                continue;
            }
            let words: Vec<String> = std::iter::once("compt".to_owned()).chain(words).collect();
            match compt::cli::command_line().try_get_matches_from(&words) {
                Ok(_) => understood += 1,
                Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
                    understood += 1
                }
                Err(error) => wrong.push(format!("{name}: {}: {error}", words.join(" "))),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(understood > 40, "only {understood} lines were found");
}

/// In running text commands are cut short; what they name is there.
#[test]
fn every_flag_in_the_documents_is_there() {
    let program = compt::cli::command_line();
    let mut found = 0;
    let mut wrong = Vec::new();
    for (name, text) in documents() {
        let prose: String = text.split("```").step_by(2).collect();
        for typed in prose.split('`').skip(1).step_by(2) {
            let mut words = typed.split_whitespace();
            let Some(("compt", command)) = words.next().zip(words.next()) else { continue };
            let Some(command) = program.find_subcommand(command) else {
                if !command.starts_with('-') {
                    wrong.push(format!("{name}: `{typed}`: there is no such subcommand"));
                }
                continue;
            };
            for flag in words.filter_map(|word| word.strip_prefix("--")) {
                let flag = flag.split(['=', ',', ']', '|']).next().unwrap_or_default();
                found += 1;
                if !command.get_arguments().any(|argument| argument.get_long() == Some(flag)) {
                    wrong.push(format!("{name}: `{typed}`: there is no `--{flag}`"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(found > 10, "only {found} flags were found");
}
