//! The tokens that training reads, task by task.

/// One example: source and target ids, both with their end mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// What the encoder reads.
    pub source: Vec<i64>,
    /// What the decoder shall write.
    pub target: Vec<i64>,
}

/// One task's examples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskPairs {
    /// The task's name.
    pub name: String,
    /// Examples to learn from.
    pub train: Vec<Pair>,
    /// Examples to choose the best epoch with.
    pub validation: Vec<Pair>,
}
