//! The order of stages: what is read comes first, and otherwise the order of the file stands.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use petgraph::Direction;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// The stages (positions in the file) in an order in which each comes after all that it reads; `reads[i]` are the
/// stages that stage `i` reads.
///
/// # Errors
/// The cycles, one for each knot of stages: the stages of a shortest cycle, each reading the next, the last one
/// reading the first. A cycle starts at its stage that comes first in the file.
pub fn order(reads: &[Vec<usize>]) -> Result<Vec<usize>, Vec<Vec<usize>>> {
    let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(reads.len(), reads.len());
    for _ in reads {
        graph.add_node(());
    }
    for (reader, read) in reads.iter().enumerate() {
        for &read in read {
            graph.update_edge(NodeIndex::new(reader), NodeIndex::new(read), ());
        }
    }
    let mut cycles: Vec<Vec<usize>> =
        tarjan_scc(&graph).iter().filter_map(|knot| shortest_cycle(&graph, knot)).collect();
    if cycles.is_empty() {
        return Ok(stable_order(&graph));
    }
    cycles.sort();
    Err(cycles)
}

/// Kahn's algorithm; among the stages that are free to come next, the first one of the file does.
fn stable_order(graph: &DiGraph<(), ()>) -> Vec<usize> {
    let mut waits: Vec<usize> =
        graph.node_indices().map(|node| graph.neighbors_directed(node, Direction::Outgoing).count()).collect();
    let mut free: BinaryHeap<Reverse<usize>> =
        (0..waits.len()).filter(|&stage| waits[stage] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(waits.len());
    while let Some(Reverse(stage)) = free.pop() {
        order.push(stage);
        for reader in graph.neighbors_directed(NodeIndex::new(stage), Direction::Incoming) {
            waits[reader.index()] -= 1;
            if waits[reader.index()] == 0 {
                free.push(Reverse(reader.index()));
            }
        }
    }
    order
}

/// The shortest cycle through the first stage of a strongly connected component that has one.
fn shortest_cycle(graph: &DiGraph<(), ()>, knot: &[NodeIndex]) -> Option<Vec<usize>> {
    let start = *knot.iter().min()?;
    let mut previous: HashMap<NodeIndex, NodeIndex> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        let mut next: Vec<NodeIndex> = graph.neighbors(node).filter(|next| knot.contains(next)).collect();
        next.sort_unstable();
        for next in next {
            if next == start {
                let mut path = vec![node.index()];
                let mut here = node;
                while here != start {
                    here = previous[&here];
                    path.push(here.index());
                }
                path.reverse();
                return Some(path);
            }
            previous.entry(next).or_insert_with(|| {
                queue.push_back(next);
                node
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::order;
    use proptest::prelude::*;

    #[test]
    fn file_order_stands_where_it_can() {
        assert_eq!(order(&[vec![], vec![], vec![]]), Ok(vec![0, 1, 2]));
        assert_eq!(order(&[vec![2], vec![], vec![], vec![1]]), Ok(vec![1, 2, 0, 3]));
        assert_eq!(order(&[]), Ok(vec![]));
    }

    #[test]
    fn each_knot_gives_one_whole_cycle() {
        assert_eq!(order(&[vec![0]]), Err(vec![vec![0]]));
        assert_eq!(order(&[vec![1], vec![2], vec![0]]), Err(vec![vec![0, 1, 2]]));
        // 0 <-> 1 apart from 2 -> 3 -> 2, which also reads 0.
        assert_eq!(order(&[vec![1], vec![0], vec![3, 0], vec![2]]), Err(vec![vec![0, 1], vec![2, 3]]));
        // A long way round and a short one.
        assert_eq!(order(&[vec![1], vec![2, 0], vec![0]]), Err(vec![vec![0, 1]]));
    }

    proptest! {
        #[test]
        fn what_is_read_comes_first(edges in prop::collection::vec((0..12usize, 0..12usize), 0..30)) {
            let mut reads = vec![Vec::new(); 12];
            for (reader, read) in edges {
                reads[reader].push(read);
            }
            match order(&reads) {
                Ok(order) => {
                    let position = |stage: usize| order.iter().position(|&s| s == stage).unwrap();
                    prop_assert_eq!(order.len(), 12);
                    for (reader, read) in reads.iter().enumerate() {
                        prop_assert!(read.iter().all(|&read| position(read) < position(reader)));
                    }
                }
                Err(cycles) => {
                    for cycle in cycles {
                        for (here, next) in cycle.iter().zip(cycle.iter().cycle().skip(1)) {
                            prop_assert!(reads[*here].contains(next));
                        }
                    }
                }
            }
        }
    }
}
