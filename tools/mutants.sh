#!/usr/bin/env bash
# Mutation-tests the stage key and the selection: changes one thing at a time in their code and sees whether a test fails.
#
#   tools/mutants.sh [FILE...]     files below src/, default: the key, sharing of equal work, selection
#
# The pure modules are put into a small package of their own, because a mutant of the whole program takes minutes to build.
# Wants `cargo install cargo-mutants`. What survives, and why, is in docs/testing.md.
set -euo pipefail
cd "$(dirname "$0")/.."
files=("$@")
if [ ${#files[@]} = 0 ]; then
  files=(src/plan/key.rs src/plan/sharing.rs src/base/canonical.rs $(ls src/plan/selection/*.rs src/plan/selection.rs 2>/dev/null | grep -v test || true))
fi
folder=${MUTANTS_FOLDER:-target/mutants}
rm -rf "$folder/package"
mkdir -p "$folder/package/src" "$folder/package/tests"
cp -r src/base src/plan src/protocol src/spec "$folder/package/src/"
cp -r tests/diagnostics "$folder/package/tests/"
cp -r pipelines datasets schema "$folder/package/"
cp Cargo.lock "$folder/package/"
sed -e '/^\[\[bin\]\]/,$d' -e 's/^name = .*/name = "compt"/' -e '/libfuzzer/d' -e '/^\[package.metadata\]/,/^cargo-fuzz/d' fuzz/Cargo.toml > "$folder/package/Cargo.toml"
cat >> "$folder/package/Cargo.toml" <<'TOML'
[dev-dependencies]
insta = { version = "1.49", features = ["filters"] }
proptest = { version = "1.12", default-features = false, features = ["std"] }
TOML
printf '#![allow(dead_code, missing_docs)]\npub mod base;\npub mod plan;\npub mod protocol;\npub mod spec;\n' > "$folder/package/src/lib.rs"
arguments=()
for file in "${files[@]}"; do arguments+=(--file "$file"); done
cargo mutants --dir "$folder/package" --output "$folder" --jobs 1 --timeout-multiplier 5 "${arguments[@]}"
