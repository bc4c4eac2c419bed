#!/usr/bin/env bash
# Brings libtorch into .libtorch/ (include/, lib/), from the `torch` wheel that pip finds. Does nothing when it is there.
#
# Only what the CPU half needs is kept: libtorch_cpu, libc10, OpenMP, and the two CUDA support libraries that
# libtorch_cpu names as needed. `libtorch.so` is a link to libtorch_cpu.so: torch-sys asks for it by that name.
# Without libtorch_cuda.so beside it, torch-sys links the CPU libraries only; `--device cuda` opens the CUDA half at
# run time from the PyTorch that is installed on the GPU machine.
set -euo pipefail

version=2.11.0
cuda_runtime=13.0.96
cuda_cupti=13.0.85

root=$(cd "$(dirname "$0")/.." && pwd)
target="$root/.libtorch"

if [ -n "${LIBTORCH:-}" ]; then
  if [ ! -e "$LIBTORCH/lib/libtorch_cpu.so" ] && [ ! -e "$LIBTORCH/lib/libtorch_cpu.dylib" ]; then
    echo "error: LIBTORCH is set to $LIBTORCH, but there is no lib/libtorch_cpu.so in it" >&2
    echo "hint: point it at a folder with include/ and lib/ of libtorch $version, or unset it to have one prepared" >&2
    exit 5
  fi
  echo "libtorch: using LIBTORCH=$LIBTORCH"
  exit 0
fi

if [ "$(cat "$target/build-version" 2>/dev/null || true)" = "$version" ]; then
  exit 0
fi

three_ways_out() {
  cat >&2 <<MESSAGE
error: libtorch $version could not be prepared: $1
Three ways out:
  1. mend what is named above (network, proxy or pip settings), then type \`make setup\` again
  2. download libtorch $version yourself, unpack it, and set LIBTORCH to the folder that holds include/ and lib/
  3. install PyTorch $version with any Python and type
     LIBTORCH=\$(python3 -c 'import torch, os; print(os.path.dirname(torch.__file__))') make build
MESSAGE
  exit 5
}

command -v python3 >/dev/null || three_ways_out "python3 is not on the PATH"
python3 -m pip --version >/dev/null 2>&1 || three_ways_out "python3 has no pip"
case "$(uname -s)-$(uname -m)" in
  Linux-x86_64 | Linux-aarch64) ;;
  *) three_ways_out "only Linux wheels are known to this script, this is $(uname -s) on $(uname -m)" ;;
esac

scratch=$(mktemp -d "$root/.libtorch-unpack.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
echo "libtorch: fetching torch $version (about 530 MB, once)"
python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$scratch" \
  "torch==$version" "nvidia-cuda-runtime==$cuda_runtime" "nvidia-cuda-cupti==$cuda_cupti" \
  || three_ways_out "pip could not download the wheels"

# Members are picked by name and written flat, so that the libraries find each other by their \$ORIGIN rpath.
python3 - "$scratch" <<'PYTHON' || three_ways_out "the wheels could not be unpacked"
import glob, os, shutil, sys, zipfile
scratch = sys.argv[1]
root = os.path.join(scratch, "libtorch")
lib = os.path.join(root, "lib")
os.makedirs(lib)
wanted = {"libtorch_cpu.so", "libc10.so", "libgomp.so.1", "libcudart.so.13", "libcupti.so.13"}
for wheel in glob.glob(os.path.join(scratch, "*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            base = os.path.basename(name)
            if base in wanted or base.startswith(("libgomp-", "libarm_compute", "libopenblas")):
                destination = os.path.join(lib, base)
            elif name.startswith("torch/include/") and not name.endswith("/"):
                destination = os.path.join(root, name[len("torch/"):])
                os.makedirs(os.path.dirname(destination), exist_ok=True)
            else:
                continue
            with archive.open(name) as source, open(destination, "wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
if not os.path.exists(os.path.join(lib, "libtorch_cpu.so")):
    sys.exit("libtorch_cpu.so is not in the wheel")
os.symlink("libtorch_cpu.so", os.path.join(lib, "libtorch.so"))
PYTHON
echo "$version" > "$scratch/libtorch/build-version"
rm -rf "$target"
mv "$scratch/libtorch" "$target"
echo "libtorch: $version is ready in .libtorch/"
