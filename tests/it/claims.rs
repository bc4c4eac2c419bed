//! Claims at the end of a run: shown, and an error only when that is asked for.

use crate::project::{Project, both};

#[test]
fn a_claim_that_fails_is_shown_and_is_an_error_only_when_claims_must_hold() {
    let project = Project::new();
    let pipeline = project.read("pipelines/toy.yaml");
    let claims = "  claims:\n    run:\n      claims:\n        from: score\n        resamples: 200\n        check:\n\
                  \x20         - { name: sane, says: \"No score is negative\", expect: \"mean() > -1\" }\n\
                  \x20         - { name: absurd, expect: \"mean(method=spp) > 101\", for: task }\n";
    project.write("pipelines/toy.yaml", &format!("{}{claims}", pipeline.replace("epochs: 6", "epochs: 1")));
    let arguments = ["run", "pipelines/toy.yaml", "--jobs", "1", "--set", "seed=[1]"];
    let shown = project.compt(&arguments);
    assert_eq!(shown.status.code(), Some(0), "{}", both(&shown));
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part:?} in:\n{text}"));
    // First the table, then the claims, then where the files lie.
    assert!(place("average") < place("1 of 2 claims pass, 1 fails"), "{text}");
    assert!(place("✓ pass      No score is negative") < place("✗ fail      mean(method=spp) > 101"), "{text}");
    assert!(place("✗ task=ripe") < place("outputs/toy/claims/"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");

    let refused = project.compt(&[&arguments[..], &["--claims-must-hold"]].concat());
    assert_eq!(refused.status.code(), Some(7), "{}", both(&refused));
    assert!(both(&refused).contains("error: 1 claim fails: absurd"), "{}", both(&refused));
}
