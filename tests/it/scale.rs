//! The work per stage does not grow with their number. What is counted is what a run reads and writes, which is the same
//! however busy the machine is.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use crate::project::{PATIENCE, Project, both};

/// What a command and its children asked of the kernel.
#[derive(Clone, Copy, Debug)]
struct Work {
    reads: f64,
    writes: f64,
    bytes_read: f64,
    bytes_written: f64,
}

impl Work {
    /// Of `compt run` in a project. A shell starts it: the kernel adds to a process what its children did.
    fn of_run(project: &Project) -> Self {
        let run = project.command(&["run", "pipelines/many.yaml", "--no-progress", "--jobs", "1"]);
        let mut shell = Command::new("sh");
        shell.args(["-c", "\"$@\" >&2; code=$?; cat /proc/$$/io; exit $code", "sh"]);
        shell.arg(run.get_program()).args(run.get_args()).current_dir(project.path("."));
        for (name, value) in run.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{}", both(&output));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let count = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no `{name}` in {text}"))
        };
        Self {
            reads: count("syscr"),
            writes: count("syscw"),
            bytes_read: count("rchar"),
            bytes_written: count("wchar"),
        }
    }

    /// For each of `stages` more stages, how much more this is than `fewer`.
    fn per_stage(self, fewer: Self, stages: usize) -> Self {
        let each = |more: f64, fewer: f64| (more - fewer) / stages as f64;
        Self {
            reads: each(self.reads, fewer.reads),
            writes: each(self.writes, fewer.writes),
            bytes_read: each(self.bytes_read, fewer.bytes_read),
            bytes_written: each(self.bytes_written, fewer.bytes_written),
        }
    }

    fn parts(self) -> [f64; 4] {
        [self.reads, self.writes, self.bytes_read, self.bytes_written]
    }
}

/// The first run of so many stages, two that have nothing to do, and one that has to read what they have seen.
fn runs(stages: usize) -> [Work; 4] {
    let project = Project::new();
    // What is older than some seconds is not read by every run.
    let hour = Duration::from_secs(3600);
    for name in ["ripe_train", "ripe_validation"] {
        let file = fs_err::OpenOptions::new().write(true).open(project.path(&format!("toys/{name}.csv"))).unwrap();
        file.file().set_modified(SystemTime::now() - hour).unwrap();
    }
    let seeds: Vec<String> = (0..stages / 2).map(|seed| (1000 + seed).to_string()).collect();
    project.write(
        "pipelines/many.yaml",
        &format!(
            "name: many\naxes: {{ seed: [{}] }}\nstages:\n  data:\n    run: {{ fetch: {{ dataset: ripe }} }}\n  \
             shots:\n    matrix: {{ seed: axes.seed }}\n    run: {{ sample: {{ from: data, k: 1, test_samples: 1, \
             validation_samples: 1, seed: \"${{seed}}\" }} }}\n  text:\n    run: {{ format: {{ from: shots }} }}\n",
            seeds.join(", ")
        ),
    );
    let [first, second, third] = [(), (), ()].map(|()| Work::of_run(&project));
    fs_err::remove_file(project.path(".compt/seen/many")).unwrap();
    [first, second, third, Work::of_run(&project)]
}

#[test]
fn a_stage_costs_the_same_among_few_and_among_many() {
    if !Path::new("/proc/self/io").exists() {
        eprintln!("skipped: this system does not count reads and writes in /proc");
        return;
    }
    let [few, some, many] = [20, 60, 140].map(runs);
    // Where the first run takes a minute, the second one notes again that its results are used.
    for (run, name) in [(0, "first run"), (2, "run without anything to do"), (3, "the same without what was seen")] {
        let (among_few, among_many) = (some[run].per_stage(few[run], 40), many[run].per_stage(some[run], 80));
        for (few, many) in among_few.parts().into_iter().zip(among_many.parts()) {
            // One more read or write, or a tenth: a buffer that is full a little earlier, a number with a digit more.
            assert!((many - few).abs() <= 1.0 + 0.1 * few.max(many), "{name}: {among_few:?}, {among_many:?}");
        }
    }
    // Of results that the last run has seen, nothing is read but the one file that says so.
    for run in [1, 2] {
        let idle = many[run].per_stage(few[run], 120);
        assert!(idle.reads < 0.5 && idle.writes < 0.5, "{idle:?}");
    }
    // Otherwise of each result its record and the note of the latest one are read, once.
    let unseen = many[3].per_stage(few[3], 120);
    assert!((2.0..4.0).contains(&unseen.reads) && unseen.writes < 0.5, "{unseen:?}");
}

/// In forty layers there are a million millions of ways from the last stage to the first; each stage is looked at once.
#[test]
fn a_plan_does_not_follow_every_way_through_its_graph() {
    let project = Project::new();
    let mut text = String::from("name: layers\nstages:\n  a0:\n    run: { command: { program: [a], outputs: [x] } }\n");
    text += "  b0:\n    run: { command: { program: [b], outputs: [x] } }\n";
    for layer in 1..40 {
        for name in ["a", "b"] {
            let from = format!("[a{before}, b{before}]", before = layer - 1);
            let run = format!("{{ command: {{ from: {from}, program: [{name}], outputs: [x] }} }}");
            text += &format!("  {name}{layer}:\n    run: {run}\n");
        }
    }
    project.write("pipelines/layers.yaml", &text);
    let mut plan = project.command(&["plan", "pipelines/layers.yaml"]).stdout(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match plan.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                plan.kill().unwrap();
                panic!("the plan of 80 stages takes longer than five minutes");
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert!(status.success());
}
