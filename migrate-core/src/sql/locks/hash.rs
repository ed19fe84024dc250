//! Which hash partition a literal belongs to: PostgreSQL's hash functions of integers, texts and UUIDs (`hashfn.c`,
//! `hashfunc.c`) and how partitions are chosen by them (`compute_partition_hash_value` in `partbounds.c`).

/// `HASH_PARTITION_SEED`.
const SEED: u64 = 0x7A5B_2236_7996_DCFD;

/// The hash of a row whose partition key is one column with this value; `None` where the type's hash is not known here.
pub(super) fn of_row(data_type: &str, literal: &str) -> Option<u64> {
    let hash = match data_type {
        "int2" | "int4" => of_word(literal.trim().parse::<i32>().ok()?.cast_unsigned()),
        "int8" => {
            let value = literal.trim().parse::<i64>().ok()?;
            // Such that equal values of the narrower types hash alike (`hashint8extended`).
            let (high, low) = halves(value.cast_unsigned());
            of_word(low ^ if value >= 0 { high } else { !high })
        }
        "text" | "varchar" => of_bytes(literal.as_bytes()),
        "uuid" => {
            let digits: String = literal.trim().trim_matches(['{', '}']).replace('-', "");
            let byte = |at: usize| u8::from_str_radix(digits.get(at * 2..at * 2 + 2)?, 16).ok();
            let bytes: Option<Vec<u8>> = (0..16).map(byte).collect();
            of_bytes(&bytes.filter(|_| digits.len() == 32)?)
        }
        _ => return None,
    };
    // `hash_combine64` with nothing before it.
    Some(hash.wrapping_add(0x49a0_f4dd_15e5_a8e3))
}

/// The high and the low half.
fn halves(word: u64) -> (u32, u32) {
    let half = |word: u64| u32::try_from(word & u64::from(u32::MAX)).unwrap_or_default();
    (half(word >> 32), half(word))
}

/// `hash_bytes_uint32_extended`.
fn of_word(word: u32) -> u64 {
    let mut state = State::seeded(4);
    state.a = state.a.wrapping_add(word);
    state.finish()
}

/// `hash_bytes_extended`, on machines that store the low byte first.
fn of_bytes(bytes: &[u8]) -> u64 {
    let mut state = State::seeded(bytes.len());
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0_u32, |word, byte| (word << 8) | u32::from(*byte));
    let mut blocks = bytes.chunks_exact(12);
    for block in &mut blocks {
        state.a = state.a.wrapping_add(word(&block[..4]));
        state.b = state.b.wrapping_add(word(&block[4..8]));
        state.c = state.c.wrapping_add(word(&block[8..]));
        state.mix();
    }
    let rest = blocks.remainder();
    let part = |from: usize, to: usize| word(&rest[from.min(rest.len())..to.min(rest.len())]);
    state.a = state.a.wrapping_add(part(0, 4));
    state.b = state.b.wrapping_add(part(4, 8));
    // The lowest byte is for the length.
    state.c = state.c.wrapping_add(part(8, 11) << 8);
    state.finish()
}

struct State {
    a: u32,
    b: u32,
    c: u32,
}

impl State {
    fn seeded(length: usize) -> Self {
        let (_, length) = halves(length as u64);
        let (high, low) = halves(SEED);
        let start = 0x9e37_79b9_u32.wrapping_add(length).wrapping_add(3_923_095);
        let mut state = Self { a: start.wrapping_add(high), b: start.wrapping_add(low), c: start };
        state.mix();
        state
    }

    fn mix(&mut self) {
        let Self { a, b, c } = self;
        for (x, y, z, by) in [(0, 2, 1, 4), (1, 0, 2, 6), (2, 1, 0, 8), (0, 2, 1, 16), (1, 0, 2, 19), (2, 1, 0, 4)] {
            let mut words = [*a, *b, *c];
            words[x] = words[x].wrapping_sub(words[y]) ^ words[y].rotate_left(by);
            words[y] = words[y].wrapping_add(words[z]);
            [*a, *b, *c] = words;
        }
    }

    fn finish(mut self) -> u64 {
        let Self { a, b, c } = &mut self;
        for (x, y, by) in [(2, 1, 14), (0, 2, 11), (1, 0, 25), (2, 1, 16), (0, 2, 4), (1, 0, 14), (2, 1, 24)] {
            let mut words = [*a, *b, *c];
            words[x] = (words[x] ^ words[y]).wrapping_sub(words[y].rotate_left(by));
            [*a, *b, *c] = words;
        }
        (u64::from(self.b) << 32) | u64::from(self.c)
    }
}

#[cfg(test)]
mod tests {
    use super::of_row;

    /// What `satisfies_hash_partition` says on servers 14 to 18.
    #[test]
    fn remainders_are_those_of_servers() {
        for (data_type, literal, remainder) in HELD {
            assert_eq!(of_row(data_type, literal).map(|hash| hash % 7), Some(*remainder), "{data_type} {literal}");
        }
        assert_eq!(of_row("numeric", "1"), None);
    }

    const HELD: &[(&str, &str, u64)] = &[
        ("int4", "500", 3),
        ("int4", "-3", 3),
        ("int4", "0", 4),
        ("int8", "777", 6),
        ("int8", "-12345678901", 1),
        ("int8", "98765432109", 6),
        ("int2", "7", 6),
        ("text", "", 1),
        ("text", "a", 3),
        ("text", "abcd", 5),
        ("text", "hello wor", 5),
        ("text", "exactly12byt", 5),
        ("text", "a longer text with öäü in it, 40 bytes", 2),
        ("uuid", "6f1f8d7e-6a0b-4f2e-9c3d-1a2b3c4d5e6f", 6),
    ];
}
