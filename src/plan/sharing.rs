//! Instances that do the same work: whichever comes first runs, the others take its result.

use std::collections::HashMap;

use super::instance::Plan;
use super::key::Numeric;
use super::pins::{Pin, PinnedFile, Pins};
use crate::base::Digest;

impl Plan {
    /// For each instance the first one of the plan that does the same work: itself, if it is the first.
    ///
    /// This is known before anything runs: the keys are computed as if the output of an instance were its key, and the
    /// content of a source its name. Equal keys of this kind are equal keys in the run; further ones may turn out equal
    /// there, when different work gives equal bytes.
    pub fn firsts(&self, numeric: &Numeric) -> Vec<usize> {
        let pins = self.named_sources();
        let mut keys: Vec<Digest> = Vec::with_capacity(self.instances.len());
        let mut known: HashMap<Digest, usize> = HashMap::with_capacity(self.instances.len());
        let mut firsts = Vec::with_capacity(self.instances.len());
        for instance in &self.instances {
            let outputs: Vec<Digest> = instance.inputs.iter().map(|&input| keys[input]).collect();
            // Every source of the plan is pinned; a name that no other instance has would be right too.
            let key = self
                .key(instance.id, &outputs, &pins, numeric)
                .unwrap_or_else(|source| Digest::of(format!("{} {source}", instance.id).as_bytes()));
            keys.push(key);
            firsts.push(*known.entry(key).or_insert(instance.id));
        }
        firsts
    }

    /// Every source, with its name in the place of its content.
    fn named_sources(&self) -> Pins {
        let named = |name: String| {
            let file = PinnedFile { size: 0, digest: Digest::of(name.as_bytes()) };
            Pin { files: [(String::new(), file)].into(), ..Pin::default() }
        };
        self.sources().into_iter().map(|source| (source.clone(), named(source.to_string()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::Plan;
    use crate::plan::instance::tests::small;
    use crate::plan::key::tests::numeric;

    fn shared(plan: &Plan) -> usize {
        plan.firsts(&numeric()).into_iter().enumerate().filter(|(id, first)| id != first).count()
    }

    #[test]
    fn a_plan_beside_itself_is_shared_whole() {
        let plan = small();
        let count = plan.instances.len();
        assert_eq!(plan.firsts(&numeric()), (0..count).collect::<Vec<_>>());
        let mut twice = plan.clone();
        for instance in &plan.instances {
            let mut other = instance.clone();
            other.id += count;
            other.stage = format!("again.{}", other.stage);
            other.scope = "again".to_owned();
            other.inputs.iter_mut().for_each(|input| *input += count);
            twice.instances.push(other);
        }
        assert_eq!(shared(&twice), count);
        // One other parameter at the bottom, and what is above it is other work too: `imdb`, both `fit`s, `table`.
        twice.instances[count].parameters = serde_json::json!({"other": 1}).into();
        assert_eq!(shared(&twice), count - 4);
    }

    #[test]
    fn another_source_is_other_work() {
        let mut plan = small();
        let parameters = plan.instances[0].parameters.clone();
        plan.instances[1].parameters = parameters;
        assert_eq!(shared(&plan), 0);
        plan.instances[1].sources = plan.instances[0].sources.clone();
        assert_eq!(plan.firsts(&numeric()), [0, 0, 2, 3, 4]);
    }
}
