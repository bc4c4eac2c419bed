//! What must hold for every batch: rows do not see each other, and the same work gives the same bits.

use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tch::{Device, Kind, Tensor};

use super::T5;
use crate::model::runtime::generator_alone;
use crate::model::{Batch, Generation, Mode, ModelError, Position, Prompts};

fn model(name: &str) -> T5 {
    T5::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/oracle").join(name), Device::Cpu, Kind::Float)
        .unwrap()
}

/// Three prompts of four rows.
fn prompt_rows(model: &T5) -> Tensor {
    let ids: Vec<i64> = (5..17).collect();
    model.embed(&ids).unwrap().view([3, 4, -1])
}

fn only(batch: &Batch, row: usize) -> Batch {
    Batch {
        sources: vec![batch.sources[row].clone()],
        targets: vec![batch.targets[row].clone()],
        prompt_of_row: vec![batch.prompt_of_row[row]],
    }
}

fn rows(most: usize) -> impl Strategy<Value = Batch> {
    let ids = |most| {
        proptest::collection::vec(3_i64..128, 0..most).prop_map(|mut ids: Vec<i64>| {
            ids.push(1);
            ids
        })
    };
    let row = (ids(most), ids(9), proptest::option::of(0_usize..3));
    proptest::collection::vec(row, 1..9).prop_map(|rows| Batch {
        sources: rows.iter().map(|row| row.0.clone()).collect(),
        targets: rows.iter().map(|row| row.1.clone()).collect(),
        prompt_of_row: rows.iter().map(|row| row.2).collect(),
    })
}

fn close(left: &Tensor, right: &Tensor, tolerance: f64) -> bool {
    left.size() == right.size() && (left - right).abs().max().double_value(&[]) <= tolerance
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, rng_seed: RngSeed::Fixed(20_261_123), ..ProptestConfig::default() })]

    /// A packed batch gives what its rows give one at a time: losses, gradients, decoded ids, rankings.
    #[test]
    fn rows_do_not_see_each_other(batch in rows(90), gated in any::<bool>(), front in any::<bool>()) {
        let model = model(if gated { "t5v11" } else { "t5v10" });
        let rows = prompt_rows(&model).set_requires_grad(true);
        let prompts = Prompts { rows: &rows, position: if front { Position::Front } else { Position::BeforeEos } };
        let packed = model.losses(&batch, Some(&prompts), Mode::Evaluation).unwrap();
        let singles: Vec<Tensor> = (0..batch.sources.len())
            .map(|row| model.losses(&only(&batch, row), Some(&prompts), Mode::Evaluation).unwrap().values)
            .collect();
        let joined = Tensor::cat(&singles, 0);
        prop_assert!(close(&packed.values, &joined, 5e-5));
        if batch.prompt_of_row.iter().any(Option::is_some) {
            let gradient = |loss: Tensor| Tensor::run_backward(&[&loss], &[&rows], false, false).remove(0);
            let (left, right) = (gradient(packed.mean()), gradient(joined.mean(Kind::Float)));
            // Sums of some thousand float32 terms in another order: far below what a row that sees another would change.
            let norm = |tensor: &Tensor| tensor.norm().double_value(&[]);
            prop_assert!(norm(&(&left - &right)) <= 1e-3 * norm(&right) + 1e-5, "{left} {right}");
        }
        let candidates = vec![vec![5, 1], vec![7, 8, 9, 1], vec![1]];
        let ranked = model.rank(&batch, Some(&prompts), &candidates).unwrap();
        for row in 0..batch.sources.len() {
            let single = model.rank(&only(&batch, row), Some(&prompts), &candidates).unwrap();
            prop_assert!(close(&ranked.narrow(0, row as i64, 1), &single, 1e-4));
            for (column, candidate) in candidates.iter().enumerate() {
                let scored = Batch { targets: vec![candidate.clone()], ..only(&batch, row) };
                let loss = model.losses(&scored, Some(&prompts), Mode::Evaluation).unwrap().row_sums();
                let score = single.narrow(1, column as i64, 1).view(-1);
                prop_assert!(close(&-loss, &score, 1e-4));
            }
        }
    }
}

fn example() -> Batch {
    Batch {
        sources: (0..40).map(|row| (3..20 + row).chain([1]).collect()).collect(),
        targets: (0..40).map(|row| vec![3 + row, 90 - row, 1]).collect(),
        prompt_of_row: (0..40).map(|row| Some(row % 3)).collect(),
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_whatever_ran_before() {
    let _alone = generator_alone();
    let model = model("t5v10");
    let rows = prompt_rows(&model).set_requires_grad(true);
    let prompts = Prompts { rows: &rows, position: Position::BeforeEos };
    let step = || {
        tch::manual_seed(3);
        let loss = model.losses(&example(), Some(&prompts), Mode::Training { dropout: 0.1 }).unwrap().mean();
        let gradient = Tensor::run_backward(&[&loss], &[&rows], false, false).remove(0);
        (loss.double_value(&[]), gradient)
    };
    let (loss, gradient) = step();
    let other = Batch { prompt_of_row: Vec::new(), ..example() };
    let generated = model.generate(&other, None, &Generation::default()).unwrap();
    assert_eq!(generated, model.generate(&other, None, &Generation::default()).unwrap());
    let (again, same) = step();
    assert_eq!(loss.to_bits(), again.to_bits());
    assert!(gradient.equal(&same));
}

#[test]
fn dropout_changes_the_loss_and_evaluation_does_not_draw() {
    let _alone = generator_alone();
    let model = model("t5v11");
    let batch = Batch { prompt_of_row: Vec::new(), ..example() };
    let loss = |mode| model.losses(&batch, None, mode).unwrap().mean().double_value(&[]);
    assert_eq!(loss(Mode::Evaluation), loss(Mode::Evaluation));
    assert_eq!(loss(Mode::Evaluation), loss(Mode::Training { dropout: 0.0 }));
    assert_ne!(loss(Mode::Evaluation), loss(Mode::Training { dropout: 0.1 }));
}

#[test]
fn what_is_wrong_with_a_batch_is_said() {
    let mut model = model("t5v10");
    let rows = prompt_rows(&model);
    let prompts = Prompts { rows: &rows, position: Position::Front };
    let good = Batch { sources: vec![vec![5, 1]], targets: vec![vec![6, 1]], prompt_of_row: vec![Some(0)] };
    let message = |model: &T5, batch: &Batch, prompts| match model.losses(batch, prompts, Mode::Evaluation) {
        Ok(_) => "no error".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(message(&model, &good, Some(&prompts)), "no error");
    let cases = [
        (Batch { sources: vec![], targets: vec![], prompt_of_row: vec![] }, "no rows"),
        (Batch { sources: vec![vec![]], ..good.clone() }, "source 0 is empty"),
        (Batch { sources: vec![vec![128]], ..good.clone() }, "token id 128"),
        (Batch { sources: vec![vec![-1]], ..good.clone() }, "token id -1"),
        (Batch { targets: vec![vec![]], ..good.clone() }, "target 0 is empty"),
        (Batch { targets: vec![], ..good.clone() }, "1 sources, but 0 targets"),
        (Batch { prompt_of_row: vec![Some(3)], ..good.clone() }, "row 0 asks for prompt 3 of 3"),
        (Batch { prompt_of_row: vec![None, None], ..good.clone() }, "2 choices of a prompt"),
    ];
    for (batch, part) in cases {
        let message = message(&model, &batch, Some(&prompts));
        assert!(message.contains(part), "{message}");
    }
    assert!(message(&model, &good, None).contains("row 0 asks for prompt 0 of 0"));
    let narrow = rows.narrow(2, 0, 8);
    let narrow = Prompts { rows: &narrow, position: Position::Front };
    assert!(message(&model, &good, Some(&narrow)).contains("[prompts, length, 32]"));
    model.set_maximum_length(Some(5));
    let error = model.losses(&good, Some(&prompts), Mode::Evaluation).unwrap_err();
    assert!(matches!(error, ModelError::TooLong { row: 0, source_length: 2, prompt_length: 4, maximum: 5 }), "{error}");
    assert!(model.rank(&Batch { prompt_of_row: vec![], ..good.clone() }, None, &[]).is_err());
    let options = Generation { repetition_penalty: 0.0, ..Generation::default() };
    assert!(model.generate(&Batch { prompt_of_row: vec![], ..good }, None, &options).is_err());
}
