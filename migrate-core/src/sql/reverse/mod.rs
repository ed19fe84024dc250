//! Reversal: the down of an up, derived where it is mechanical, and whether given downs take back their ups, decided by
//! running both over the symbolic schema and comparing.

#![allow(clippy::single_match_else, reason = "a fact that is known and one that is not read best side by side")]

pub(crate) mod attached;
mod decide;
mod derive;
mod pair;
pub(crate) mod restore;
#[cfg(test)]
mod tests;

#[cfg(test)]
use decide::Verdict;
pub(crate) use decide::{decide, witnessed};
pub(crate) use derive::{Derived, derive, switch};
pub use pair::{Pair, PairVerdict, judge_pair};
