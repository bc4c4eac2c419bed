//! Our own pipelines are the paper's grids: planned without network, as they are and as smoke runs.

use serde_json::Value;

use crate::project::{Project, both, executed};

/// What `compt plan --json` says of one of our pipelines.
struct Planned {
    stages: Vec<Value>,
    shared: u64,
}

impl Planned {
    fn of(name: &str, more: &[&str]) -> Self {
        let project = Project::new();
        let cache = project.path("cache").display().to_string();
        let file = format!("pipelines/{name}.yaml");
        let arguments = [&["plan", &file, "--json", "--offline", "--cache", &cache], more].concat();
        let output = project.command(&arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(output.status.success(), "{name} {more:?}: {}", both(&output));
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
        Self { stages: plan["stages"].as_array().unwrap().clone(), shared: plan["shared"].as_u64().unwrap() }
    }

    fn count(&self, such: impl Fn(&Value) -> bool) -> usize {
        self.stages.iter().filter(|stage| such(stage)).count()
    }

    /// Trainings whose parameters say this of the method; all for an empty word.
    fn trainings(&self, method: &str) -> usize {
        self.count(|stage| {
            is_training(stage) && (method.is_empty() || stage["instance"]["parameters"]["method"] == method)
        })
    }
}

fn is_training(stage: &Value) -> bool {
    stage["instance"]["operation"] == "train"
}

/// METHODS, section 6 ("Run counts"): trainings of PT, MST, SPP and SCP. Where it says `|nsp|` or `|lr grid|`, the grids
/// of our files: five numbers of sources, seven rates, three seeds.
const GRIDS: [(&str, [usize; 4]); 13] = [
    // 8 tasks x 3 k x 3 seeds PT runs, 9 joint runs for each of MST, SPP and SCP.
    ("glue_fewshot", [72, 9, 9, 9]),
    ("set2_fewshot", [54, 9, 9, 9]),
    // One row each, one run.
    ("glue_5000", [0, 0, 1, 1]),
    ("set2_5000", [0, 0, 1, 1]),
    ("label_space_mnli", [0, 0, 1, 0]),
    ("label_space_rte", [0, 0, 1, 0]),
    ("label_space_qqp", [0, 0, 1, 0]),
    // 4 joint runs and 6 PT runs, for three seeds.
    ("set2_modularity", [18, 0, 6, 6]),
    // 2 sets x 2 methods x 5 x 3; the references: 2 sets x 3, and 13 tasks x 3.
    ("num_source_prompts", [39, 6, 30, 30]),
    // 3 numbers of sources x 3 seeds.
    ("source_contribution", [0, 0, 9, 0]),
    // Top and bottom share the learned setting: 3 settings x (3 k + 5 nsp - 1 in both) x 3 seeds.
    ("attention_and_gates", [0, 0, 63, 0]),
    // 2 settings x 3 seeds.
    ("attention_disentangling", [0, 0, 6, 0]),
    // 2 methods x 7 rates x 3 seeds.
    ("learning_rates", [0, 0, 21, 21]),
];

#[test]
fn every_pipeline_has_the_grid_of_its_table_or_figure() {
    for (name, expected) in GRIDS {
        let plan = Planned::of(name, &[]);
        let counts = ["pt", "mst", "spp", "scp"].map(|method| plan.trainings(method));
        assert_eq!(counts, expected, "{name}");
        // Within one file nothing is asked for twice.
        assert_eq!(plan.shared, 0, "{name}");
        // One word makes it another variant of the same shape: every training and text changes its parameters.
        let code = Planned::of(name, &["--set", "preset=paper_code"]);
        assert_eq!(code.stages.len(), plan.stages.len(), "{name}");
        for (stage, other) in plan.stages.iter().zip(&code.stages) {
            let (stage, other) = (&stage["instance"], &other["instance"]);
            let changes = ["train", "format", "evaluate", "ablate"].contains(&stage["operation"].as_str().unwrap());
            assert_eq!(stage["parameters"] != other["parameters"], changes, "{}", stage["label"]);
        }
    }
}

#[test]
fn smoke_runs_are_small_and_need_no_network() {
    for (name, _) in GRIDS {
        let plan = Planned::of(name, &["--profile", "smoke"]);
        let sources = plan.count(|stage| {
            let sources = stage["instance"]["sources"].as_array().unwrap();
            sources.iter().any(|source| source.get("dataset").is_some() || source["model"] == "google-t5/t5-base")
        });
        assert_eq!(sources, 0, "{name} reads something from the hub");
        assert!(plan.trainings("") <= 60, "{name} trains {} times", plan.trainings(""));
    }
}

#[test]
fn the_whole_paper_shares_what_is_the_same() {
    let plan = Planned::of("paper", &[]);
    assert_eq!(plan.trainings(""), 442, "the sum of the grids");
    let own = plan.count(|stage| is_training(stage) && stage["same_as"].is_null());
    // Tables 1 and 2: 99 + 81, of which the 9 PT runs of MRPC, which is in both sets. Tables 3 and 4: 4. Table 8: only the
    // 6 with MNLI are new. Figure 2: 60 less the 12 with three sources. Tables 5-7 and Figures 3 and 5 are all of other
    // figures. Figure 4: 63 less 15 that Figure 2 has. Figure 6: 42.
    assert_eq!(own, (99 + 81 - 9) + 4 + 6 + (60 - 12) + (63 - 15) + 42);
    // The whole run: `compt plan pipelines/paper.yaml` says this.
    let shared = plan.count(|stage| !stage["same_as"].is_null());
    assert_eq!(plan.shared as usize, shared);
    println!("paper: {} stages, {shared} shared", plan.stages.len());

    let smoke = Planned::of("paper", &["--profile", "smoke"]);
    println!("paper, smoke: {} stages, {} shared", smoke.stages.len(), smoke.shared);
    for (file, _) in GRIDS {
        assert!(plan.count(|stage| stage["instance"]["scope"] == file) > 0, "{file} is part of the paper");
    }
    assert!(smoke.shared * 4 > smoke.stages.len() as u64, "at least a quarter is shared");
}

/// One smoke run whole, with training, parts, confusion, figures, claims and page; `make paper-smoke` runs all of them.
#[test]
fn a_smoke_run_makes_everything() {
    let project = Project::new();
    let (cache, outputs) = (project.path("cache").display().to_string(), project.path("made").display().to_string());
    let file = "pipelines/label_space_rte.yaml";
    let run = || {
        let arguments =
            ["run", file, "--profile", "smoke", "--offline", "--json", "--cache", &cache, "--outputs", &outputs];
        let output = project.command(&arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(output.status.success(), "{}", both(&output));
        executed(&String::from_utf8_lossy(&output.stdout))
    };
    assert!(run().iter().any(|stage| stage.starts_with("fit")));
    for made in ["table/table.tex", "answers/confusion.csv", "answers/recall.csv", "claims/claims.csv", "report.html"] {
        let text = project.read(&format!("made/label_space_rte/{made}"));
        assert!(text.lines().count() > 1, "{made} is empty");
    }
    assert_eq!(run(), Vec::<String>::new());
}
