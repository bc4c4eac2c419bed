//! Defaults by preset and method (METHODS 8: the columns "recommended default", "paper" and "code").

use super::dropout::Dropout;
use super::settings::*;

/// Complete parameters for a method under a preset; only `backbone` is left empty.
pub(super) fn bundle(method: Method, preset: Option<Preset>) -> TrainParameters {
    let mut parameters = recommended(method);
    match preset {
        None | Some(Preset::Recommended) => {}
        Some(Preset::PaperText) => paper_text(&mut parameters),
        Some(Preset::PaperCode) => paper_code(&mut parameters),
    }
    parameters
}

/// The column "recommended default", with the learning rates of METHODS 3.
fn recommended(method: Method) -> TrainParameters {
    let (count, compose) = match method {
        Method::Pt => (0, Compose::PrivateOnly),
        Method::Mst => (1, Compose::SourceOnly),
        Method::Spp => (3, Compose::Spp),
        Method::Scp => (3, Compose::Scp),
    };
    let (source, private) = match method {
        Method::Pt => (0.05, 0.05),
        Method::Mst | Method::Spp => (0.07, 0.02),
        Method::Scp => (0.1, 0.1),
    };
    let modular = matches!(method, Method::Spp | Method::Scp);
    TrainParameters {
        method,
        preset: None,
        backbone: String::new(),
        prompt: PromptSettings {
            length: 10,
            position: PromptPosition::Front,
            init: Init::Uniform,
            private_init: None,
            init_words: Vec::new(),
            init_file: None,
        },
        encoder: EncoderSettings { kind: EncoderKind::Mlp, hidden: None, act: Activation::Gelu },
        sources: SourceSettings { count, per_task: false },
        router: RouterSettings {
            kind: if modular { RouterKind::Direct } else { RouterKind::Constant },
            norm: Norm::Auto,
            constant: ConstantWeights::Uniform,
            eval: RouterEvaluation::Mean,
            include_private: false,
            temperature: TemperatureSettings {
                start: 5.0,
                min: 0.001,
                rate: None,
                schedule: TemperatureSchedule::Linear,
            },
            bias: 0.0,
            top_k: 0,
        },
        gate: GateSettings {
            kind: if modular { GateKind::Learned } else { GateKind::None },
            scope: GateScope::Task,
            init: 0.0,
            fixed: [1.0, 1.0],
        },
        compose,
        optim: OptimizerSettings {
            groups: GroupRates { source, private, router: 0.1, gate: 0.1 },
            weight_decay: 0.01,
            betas: [0.9, 0.999],
            eps: 1e-8,
            warmup: 0.2,
            total: ScheduleTotal::Exact,
            clip: Some(1.0),
            sparse_private: false,
        },
        epochs: 40,
        adjust_epochs: true,
        batch: 20,
        sampler: SamplerKind::Mixed,
        dropout: Dropout::Model,
        max_source_tokens: 256,
        max_target_tokens: None,
        seed: 123,
        select: Select::Last,
        checkpoint_every: None,
        precision: Precision::Float32,
    }
}

/// Where the paper's text differs from the recommendation (8.3, 8.15).
fn paper_text(parameters: &mut TrainParameters) {
    parameters.prompt.length = 5;
    parameters.epochs = 30;
    parameters.adjust_epochs = false;
}

/// Where the authors' configurations differ from the recommendation (8.1 to 8.4, 8.6, 8.7, 8.13 to 8.15, 8.26, 8.28,
/// 8.31): an ungated sum, or the product over concatenated sources, of sampled weights.
fn paper_code(parameters: &mut TrainParameters) {
    let method = parameters.method;
    parameters.prompt.position = PromptPosition::BeforeEos;
    parameters.prompt.private_init = Some(Init::FirstVocabRows);
    parameters.max_source_tokens = 400;
    parameters.optim.total = ScheduleTotal::Floor;
    let rates = &mut parameters.optim.groups;
    match method {
        Method::Pt => {
            parameters.prompt.position = PromptPosition::Front;
            parameters.prompt.length = 50;
            parameters.epochs = 20;
        }
        Method::Mst => rates.source = 0.05,
        Method::Spp => {
            (rates.source, rates.private) = (0.05, 0.02);
            parameters.prompt.length = 20;
            parameters.epochs = 50;
        }
        Method::Scp => {
            (rates.source, rates.private, rates.router, rates.gate) = (0.05, 0.08, 0.15, 0.15);
            parameters.compose = Compose::CatProd;
        }
    }
    if matches!(method, Method::Spp | Method::Scp) {
        parameters.router.kind = RouterKind::RelaxedBernoulli;
        parameters.router.norm = Norm::Softmax;
        parameters.router.eval = RouterEvaluation::Logit;
        parameters.router.temperature.rate = Some(0.02);
        parameters.gate.kind = GateKind::Fixed;
    }
}

impl Default for TrainParameters {
    fn default() -> Self {
        bundle(Method::Spp, None)
    }
}

/// Parts of the parameters default to their place in the default parameters.
macro_rules! default_from_bundle {
    ($($part:ty: $($field:ident).+;)*) => {$(
        impl Default for $part {
            fn default() -> Self {
                TrainParameters::default().$($field).+
            }
        }
    )*};
}

default_from_bundle! {
    PromptSettings: prompt;
    EncoderSettings: encoder;
    SourceSettings: sources;
    RouterSettings: router;
    TemperatureSettings: router.temperature;
    GateSettings: gate;
    OptimizerSettings: optim;
    GroupRates: optim.groups;
}
