//! A prompt that answers texts as they come, beside the evaluation of the same prompt.

use compt::task::texts;
use compt_worker::body::backbone::Shelf;
use compt_worker::body::prompted::Prompted;
use serde_json::json;

use crate::alone;
use crate::jobs::{Notes, as_input, bytes, evaluation, job, run, task, training};

#[test]
fn texts_get_the_answers_that_the_evaluation_writes_down() {
    let _alone = alone();
    let data = tempfile::tempdir().unwrap();
    let (mood, acid) = (task(data.path(), "mood", ["bad", "good"]), task(data.path(), "acid", ["yes", "no"]));
    let folders: Vec<_> = (0..2).map(|_| tempfile::tempdir().unwrap()).collect();
    let train = job(folders[0].path(), "train", training(&json!({})), vec![mood.clone(), acid]);
    run(&train).unwrap();
    let inputs = vec![as_input("fit", &train), mood.clone()];
    let sources: Vec<String> =
        texts::read(mood.files.folder()).unwrap().test.into_iter().map(|example| example.source).collect();
    for mode in ["rank", "generate"] {
        let scoring = job(folders[1].path(), "evaluate", evaluation(&json!({"mode": mode})), inputs.clone());
        run(&scoring).unwrap();
        let written = String::from_utf8(bytes(folders[1].path())["predictions.csv"].clone()).unwrap();
        let expected: Vec<&str> = written.lines().skip(1).map(|line| line.split(',').nth(5).unwrap()).collect();

        let (mut shelf, mut notes) = (Shelf::default(), Notes::default());
        let mut prompted = Prompted::prepare(scoring, &mut shelf, &mut notes).unwrap();
        for scores in [false, true] {
            let mut answers = prompted.answer(sources[..2].to_vec(), scores, &mut shelf, &mut notes).unwrap();
            answers.extend(prompted.answer(sources[2..].to_vec(), scores, &mut shelf, &mut notes).unwrap());
            let found: Vec<&str> = answers.iter().map(|answer| answer.text.as_str()).collect();
            assert_eq!(found, expected, "{mode}");
            for answer in answers.iter().filter(|_| scores) {
                let [bad, good] = answer.scores.as_slice() else { panic!("{answer:?}") };
                assert!(*bad < 0.0 && *good < 0.0);
                assert!(mode == "generate" || answer.text == if bad >= good { "bad" } else { "good" });
            }
            assert!(scores || answers.iter().all(|answer| answer.scores.is_empty()));
        }
    }
}
