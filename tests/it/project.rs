//! A project folder of its own for each test: two toy tasks, the tiny backbone, one pipeline, an empty cache.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long a test waits for what must come: longer than any machine needs, however busy it is.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Waits until something is so.
pub fn until(what: &str, mut such: impl FnMut() -> bool) {
    let start = Instant::now();
    loop {
        // Before the look: this thread may sleep for long between the two.
        let is_late = start.elapsed() > PATIENCE;
        if such() {
            return;
        }
        assert!(!is_late, "waited five minutes until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a process is gone or only waits to be waited for.
pub fn until_gone(pid: &str) {
    let stat = format!("/proc/{}/stat", pid.trim());
    until(&format!("process {pid} is gone"), || {
        fs_err::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z"))
    });
}

/// The pipeline of the tests: two tasks, two methods, everything from data to tables.
pub const PIPELINE: &str = r#"
name: toy
title: "Toy tasks"
params: { k: 8, epochs: 6, backbone: ./tiny }
axes:
  task: [ripe, same]
  seed: [1, 2]
stages:
  data:
    matrix: { task: axes.task }
    run: { fetch: { dataset: "${task}" } }
  shots:
    matrix: { task: axes.task, seed: axes.seed }
    run: { sample: { from: data, k: "${k}", test_samples: 20, validation_samples: 10, seed: "${seed}" } }
  text:
    run: { format: { from: shots } }
  fit:
    matrix: { method: [spp, scp], seed: axes.seed }
    run:
      train:
        from: text
        method: "${method}"
        backbone: "${backbone}"
        epochs: "${epochs}"
        batch: 4
        checkpoint_every: 3
        prompt: { length: 4 }
        sources: { count: 2 }
  score:
    run: { evaluate: { from: [fit, text], backbone: "${backbone}", untrained: true } }
  table:
    run: { aggregate: { from: score, rows: method, columns: task, mean_over: seed } }
"#;

/// The pipeline file of [`light`].
pub const LIGHT: &str = "pipelines/light.yaml";

/// The toy pipeline up to its texts: two tasks, two seeds, no training, so 2 data, 4 shots, 4 texts. Its title wants care
/// in every notation.
pub fn light() -> Project {
    let project = Project::new();
    let (head, _) = PIPELINE.split_once("  fit:").unwrap();
    let head = head.replace("name: toy", "name: light").replace("Toy tasks", r#"Two tasks <a> & \"b\""#);
    project.write(LIGHT, &head.replace(", epochs: 6, backbone: ./tiny", ""));
    project
}

/// What a command printed, as JSON.
pub fn json(output: &Output) -> serde_json::Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}:\n{}", both(output)))
}

/// A folder that is removed with it.
pub struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = Self { folder };
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny");
        for name in ["config.json", "tokenizer.json", "model.safetensors"] {
            project.copy(&data.join(name), &format!("tiny/{name}"));
        }
        for name in ["ripe_train", "ripe_validation", "same_train", "same_validation"] {
            project.copy(&data.join(format!("{name}.csv")), &format!("toys/{name}.csv"));
        }
        project.write("datasets/ripe.yaml", &data_set("ripe", "[text]", "sentence: {text}", ["bad", "good"]));
        project.write(
            "datasets/same.yaml",
            &data_set(
                "same",
                "[first, second]",
                "sentence1: {first} sentence2: {second}",
                ["not_equivalent", "equivalent"],
            ),
        );
        project.write("pipelines/toy.yaml", PIPELINE);
        project
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.path(name)).unwrap()
    }

    /// Replaces text in a file, which must hold it.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} has no {from:?}");
        self.write(name, &text.replacen(from, to, 1));
    }

    fn copy(&self, from: &Path, name: &str) {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::copy(from, path).unwrap();
    }

    /// `compt` in this folder, with an environment that says nothing of caches, hubs or colours.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let compt = env!("CARGO_BIN_EXE_compt");
        let mut command = Command::new(if interrupts_are_ignored() { "env" } else { compt });
        if interrupts_are_ignored() {
            command.args(["--default-signal=INT,HUP", compt]);
        }
        command.args(arguments).current_dir(self.folder.path());
        for (name, _) in std::env::vars() {
            if name.starts_with("COMPT_") || name.starts_with("HF_") || name.starts_with("HUGGING") {
                command.env_remove(name);
            }
        }
        command.env("HF_HUB_OFFLINE", "1").env("NO_COLOR", "1").env("HOME", self.folder.path());
        command
    }

    pub fn compt(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs `compt` in the background, silent.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// `compt run pipelines/toy.yaml` with more arguments; it must succeed. Returns which stages were executed.
    pub fn run(&self, more: &[&str]) -> Vec<String> {
        let mut arguments = vec!["run", "pipelines/toy.yaml", "--json"];
        arguments.extend(more);
        let output = self.compt(&arguments);
        assert!(output.status.success(), "{}", both(&output));
        executed(&String::from_utf8_lossy(&output.stdout))
    }

    /// Every result in the output folder with its content: all but the page, which tells of the last run.
    pub fn outputs(&self) -> std::collections::BTreeMap<String, Vec<u8>> {
        let mut files = self.files("outputs");
        files.retain(|name, _| !name.ends_with("/report.html"));
        files
    }

    /// Every file below a folder with its content.
    pub fn files(&self, folder: &str) -> std::collections::BTreeMap<String, Vec<u8>> {
        let root = self.path(folder);
        let mut files = std::collections::BTreeMap::new();
        let mut folders = vec![root.clone()];
        while let Some(here) = folders.pop() {
            for entry in fs_err::read_dir(&here).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root).unwrap().display().to_string();
                    files.insert(name, fs_err::read(&path).unwrap());
                }
            }
        }
        files
    }
}

/// Whether this process was started with Ctrl-C or the end of its terminal ignored, as in the background of a script; so would
/// every program be that it starts, and `compt` heeds that.
fn interrupts_are_ignored() -> bool {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:\t")?, 16).ok());
    // SIGHUP is signal 1, SIGINT is signal 2.
    ignored.unwrap_or(0) & 0b11 != 0
}

fn data_set(name: &str, columns: &str, template: &str, words: [&str; 2]) -> String {
    format!(
        r#"title: toy task {name}
source: {{ local: toys }}
files: {{ train: ["{name}_train.csv"], validation: ["{name}_validation.csv"] }}
splits: halve_validation
columns: {columns}
template: "{template}"
kind: classification
label:
  column: label
  words: [{{ value: 0, word: {} }}, {{ value: 1, word: {} }}]
metrics: [accuracy]
score: accuracy
"#,
        words[0], words[1]
    )
}

/// The stages that the events of `--json` call finished.
pub fn executed(events: &str) -> Vec<String> {
    let events = events.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut stages: Vec<String> = events
        .filter(|event| event["what"]["event"] == "finished")
        .filter_map(|event| event["what"]["stage"].as_str().map(str::to_owned))
        .collect();
    stages.sort();
    stages
}

/// What a command that succeeds has printed.
pub fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", both(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A text as YAML and JSON write it.
pub fn quote(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// What a command printed, for messages of failed tests.
pub fn both(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A lock file that pins another content of one file of the data set `ripe`.
pub fn lock_of(file: &str, text: &str) -> String {
    let digest = blake3::hash(text.as_bytes()).to_hex().to_string();
    let pin = serde_json::json!({ "revision": "abc123", "files": { file: { "size": text.len(), "digest": digest } } });
    serde_json::json!({ "format": 1, "datasets": { "ripe": pin } }).to_string()
}
