//! A message put together in `const`, where there is no formatting.

/// A message put together in `const`.
pub(super) struct Text {
    bytes: [u8; Self::SIZE],
    len: usize,
}

impl Text {
    const SIZE: usize = 4096;

    pub(super) const fn new() -> Self {
        Self { bytes: [0; Self::SIZE], len: 0 }
    }

    pub(super) const fn bytes(&self) -> &[u8] {
        self.bytes.split_at(self.len).0
    }

    /// Appends as much of `text` as there is room for, whole characters only.
    pub(super) const fn push(&mut self, text: &str) -> &mut Self {
        let bytes = text.as_bytes();
        let mut end = if bytes.len() < Self::SIZE - self.len { bytes.len() } else { Self::SIZE - self.len };
        while end > 0 && end < bytes.len() && bytes[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        let mut at = 0;
        while at < end {
            self.bytes[self.len] = bytes[at];
            self.len += 1;
            at += 1;
        }
        self
    }

    pub(super) const fn migration(&mut self, (name, version): (&str, i64)) -> &mut Self {
        self.push("`").push(name).push("` (").number(version).push(")")
    }

    pub(super) const fn number(&mut self, number: i64) -> &mut Self {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        let mut rest = number.unsigned_abs();
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            self.push("-");
        }
        match std::str::from_utf8(digits.split_at(at).1) {
            Ok(text) => self.push(text),
            Err(_) => self,
        }
    }
}
