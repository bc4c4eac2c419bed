//! Which parts of a composition a mask keeps (METHODS 2.5).

use compt::operation::evaluate::{DroppedHalf, Keep};
use compt::operation::train::Compose;

use super::MethodError;
use super::compose::{has_private, has_sources};
use super::router::Entries;

/// The masks that a composition of so many sources has. The factors of a product can't be dropped: nothing would be left.
pub fn available(compose: Compose, sources: usize) -> Vec<Keep> {
    let mut masks = vec![Keep::Total];
    if matches!(compose, Compose::Prod | Compose::CatProd) {
        return masks;
    }
    if has_sources(compose) {
        masks.push(Keep::AllSources);
        masks.extend((1..=sources).map(Keep::Source));
    }
    if has_private(compose) {
        masks.push(Keep::Private);
    }
    masks
}

/// What the mask keeps of a composition of so many sources.
///
/// # Errors
/// A mask that the composition does not have; the message names those it has.
pub fn entries(keep: Keep, compose: Compose, sources: usize) -> Result<Entries, MethodError> {
    let masks = available(compose, sources);
    if !masks.contains(&keep) {
        let names: Vec<String> = masks.iter().map(|mask| format!("`{mask}`")).collect();
        return Err(MethodError::new(
            format!("there is no `{keep}` in these prompts to keep; their masks are {}", names.join(", ")),
            "write one of these masks in `mask: {keep: ...}`, or leave this training out with `exclude`",
        ));
    }
    let all = |kept| vec![kept; sources];
    Ok(match keep {
        Keep::Total => Entries { sources: all(true), private: true },
        Keep::AllSources => Entries { sources: all(true), private: false },
        Keep::Private => Entries { sources: all(false), private: true },
        Keep::Source(number) => {
            Entries { sources: (1..=sources).map(|source| source == number).collect(), private: false }
        }
    })
}

/// How what is kept is put together: as in training, unless a dropped half of `scp` is taken out.
pub fn composition(trained: Compose, dropped: DroppedHalf, entries: &Entries) -> Compose {
    match (trained, dropped, entries.sources.contains(&true), entries.private) {
        (Compose::Scp, DroppedHalf::Remove, true, false) => Compose::SourceOnly,
        (Compose::Scp, DroppedHalf::Remove, false, true) => Compose::PrivateOnly,
        _ => trained,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_that_a_method_does_not_have_is_refused_with_those_it_has() {
        // METHODS 2.7: PT has no sources, MST has one source and no private prompt.
        let names = |compose, sources| {
            available(compose, sources).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(Compose::PrivateOnly, 0), "total private");
        assert_eq!(names(Compose::SourceOnly, 1), "total all_src src_1");
        assert_eq!(names(Compose::Spp, 2), "total all_src src_1 src_2 private");
        assert_eq!(names(Compose::Prod, 2), "total");
        let refused = entries(Keep::Source(3), Compose::Scp, 2).unwrap_err();
        assert!(refused.message.contains("no `src_3`") && refused.message.contains("`src_2`, `private`"), "{refused}");
        assert!(entries(Keep::Private, Compose::SourceOnly, 1).is_err());
        assert!(entries(Keep::AllSources, Compose::PrivateOnly, 0).is_err());
    }
}
