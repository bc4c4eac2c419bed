//! Reading safetensors checkpoints.
