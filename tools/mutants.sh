#!/usr/bin/env bash
# Mutation-tests the stage key and the selection: changes one thing at a time in their code and sees whether a test fails.
#
#   tools/mutants.sh [OPTION...] [FILE...]     files below src/, default: the key, sharing of equal work, selection;
#                                              options of cargo mutants: --iterate leaves out what was caught before
#
# The pure modules are put into a small package of their own, because a mutant of the whole program takes minutes to build.
# Wants `cargo install cargo-mutants`. What survives is in target/mutants/mutants.out/missed.txt, and why in docs/testing.md.
set -euo pipefail
cd "$(dirname "$0")/.."
options=() files=()
for word in "$@"; do
  case $word in
    -*) options+=("$word") ;;
    *) files+=("$word") ;;
  esac
done
if [ ${#files[@]} = 0 ]; then
  files=(src/plan/key.rs src/plan/sharing.rs src/base/canonical.rs)
  for file in src/plan/selection/*.rs; do [[ $file == *test* ]] || files+=("$file"); done
fi
folder=${MUTANTS_FOLDER:-$PWD/target/mutants}
package=$folder/package
rm -rf "$package"
mkdir -p "$package/src" "$package/tests"
cp -r src/base src/plan src/protocol src/spec "$package/src/"
cp -r tests/diagnostics "$package/tests/"
cp -r pipelines datasets schema docs "$package/"
cp Cargo.lock "$package/"
printf '#![allow(dead_code, missing_docs)]\npub mod base;\npub mod plan;\npub mod protocol;\npub mod spec;\n' > "$package/src/lib.rs"
# The dependencies are those of the fuzz targets, which take in the same modules.
sed -e '/^\[\[bin\]\]/,$d' -e 's/^name = .*/name = "compt"/' -e '/libfuzzer/d' -e '/^\[package.metadata\]/,/^cargo-fuzz/d' \
  fuzz/Cargo.toml > "$package/Cargo.toml"
cat >> "$package/Cargo.toml" <<'TOML'
[dev-dependencies]
insta = { version = "1.49", features = ["filters"] }
proptest = { version = "1.12", default-features = false, features = ["std"] }
[profile.dev]
opt-level = 0
debug = false
TOML
for file in "${files[@]}"; do options+=(--file "$file"); done
# In place, since the package is a copy already; so all runs share one folder of built dependencies.
export CARGO_TARGET_DIR=$folder/target PROPTEST_CASES=${PROPTEST_CASES:-100}
cargo mutants --dir "$package" --in-place --output "$folder" --timeout 120 "${options[@]}" \
  -- --lib -- plan:: base::canonical --skip a_hundred_thousand
