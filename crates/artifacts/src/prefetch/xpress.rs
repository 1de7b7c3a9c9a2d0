//! The compression of prefetch files since Windows 8 (`MAM`): Xpress with Huffman codes.
//!
//! Format: MS-XCA sections 2.1 and 2.2
//! (<https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-xca/>). Output comes in blocks of 64 KiB, each
//! behind a table of the lengths of its 512 codes. No library: those on the registry do not bound what they write.

/// Output that one table of codes stands for.
const BLOCK_BYTES: usize = 65_536;

/// Lengths of 512 codes, four bits each.
const TABLE_BYTES: usize = 256;

const SYMBOLS: usize = 512;

/// The longest code.
const CODE_BITS_MAX: u32 = 15;

/// `size` plain bytes; what could be had of them with `false` where the input is damaged.
pub(super) fn expand(input: &[u8], size: usize) -> (Vec<u8>, bool) {
    let mut output = Vec::new();
    let mut at = 0;
    while output.len() < size {
        let Some(next) = block(input, at, size, &mut output) else {
            return (output, false);
        };
        at = next;
    }
    (output, true)
}

/// Expands the block at `at`; where the next one begins.
fn block(input: &[u8], at: usize, size: usize, output: &mut Vec<u8>) -> Option<usize> {
    let table = input.get(at..at.checked_add(TABLE_BYTES)?)?;
    let codes = Codes::of(table)?;
    let mut bits = Bits::new(input, at + TABLE_BYTES)?;
    let end = output.len().checked_add(BLOCK_BYTES)?.min(size);
    while output.len() < end {
        let symbol = codes.next(&mut bits)?;
        if symbol < 256 {
            output.push(u8::try_from(symbol).ok()?);
            continue;
        }
        let symbol = symbol - 256;
        let mut length = usize::from(symbol & 15);
        let offset_bits = u32::from(symbol >> 4);
        if length == 15 {
            length = usize::from(bits.byte()?);
            if length == 255 {
                length = usize::from(bits.short()?);
                if length == 0 {
                    length = usize::try_from(bits.long()?).ok()?;
                }
                length = length.checked_sub(15)?;
            }
            length = length.checked_add(15)?;
        }
        let length = length.checked_add(3)?;
        let offset = (1_usize << offset_bits) + usize::from(bits.take(offset_bits)?);
        let from = output.len().checked_sub(offset)?;
        // A match may run over its own output, and into the next block.
        for at in from..from + length.min(size - output.len()) {
            output.push(*output.get(at)?);
        }
    }
    Some(bits.at)
}

/// Codes by their length and value: of the codes of each length, the first, and where its symbols begin.
struct Codes {
    first: [u32; 16],
    count: [u32; 16],
    start: [u32; 16],
    symbols: Vec<u16>,
}

impl Codes {
    fn of(table: &[u8]) -> Option<Self> {
        let length = |symbol: usize| {
            let byte = table.get(symbol / 2).copied().unwrap_or(0);
            usize::from(if symbol.is_multiple_of(2) {
                byte & 15
            } else {
                byte >> 4
            })
        };
        let mut codes = Self {
            first: [0; 16],
            count: [0; 16],
            start: [0; 16],
            symbols: Vec::with_capacity(SYMBOLS),
        };
        for bits in 1..=15_usize {
            codes.start[bits] = u32::try_from(codes.symbols.len()).ok()?;
            for symbol in 0..SYMBOLS {
                if length(symbol) == bits {
                    codes.symbols.push(u16::try_from(symbol).ok()?);
                    codes.count[bits] += 1;
                }
            }
            codes.first[bits] = (codes.first[bits - 1] + codes.count[bits - 1]) << 1;
        }
        (!codes.symbols.is_empty()).then_some(codes)
    }

    fn next(&self, bits: &mut Bits<'_>) -> Option<u16> {
        let mut code = 0;
        for length in 1..=CODE_BITS_MAX {
            code = code << 1 | u32::from(bits.take(1)?);
            let at = length as usize;
            if let Some(within) = code.checked_sub(self.first[at])
                && within < self.count[at]
            {
                return self
                    .symbols
                    .get((self.start[at] + within) as usize)
                    .copied();
            }
        }
        None
    }
}

/// The stream of bits: 16 at a time, the highest first, 32 held ahead; whole bytes stand between them.
struct Bits<'a> {
    input: &'a [u8],
    /// Where the next bytes are taken from.
    at: usize,
    held: u32,
    /// Bits in `held` beyond the 16 that are always there.
    extra: i32,
}

impl<'a> Bits<'a> {
    fn new(input: &'a [u8], at: usize) -> Option<Self> {
        let mut bits = Self {
            input,
            at,
            held: 0,
            extra: 16,
        };
        let high = u32::from(bits.short()?);
        let low = u32::from(bits.short()?);
        bits.held = high << 16 | low;
        Some(bits)
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.input.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn short(&mut self) -> Option<u16> {
        let low = self.byte()?;
        let high = self.byte()?;
        Some(u16::from_le_bytes([low, high]))
    }

    fn long(&mut self) -> Option<u32> {
        let low = u32::from(self.short()?);
        Some(u32::from(self.short()?) << 16 | low)
    }

    /// The next bits; at most 15.
    fn take(&mut self, count: u32) -> Option<u16> {
        if count == 0 {
            return Some(0);
        }
        let taken = self.held.checked_shr(32_u32.checked_sub(count)?)?;
        self.held <<= count;
        self.extra -= i32::try_from(count).ok()?;
        if self.extra < 0 {
            // Past the end there are zeros: the last symbols need no more bits than there are.
            let next = if self.at + 2 <= self.input.len() {
                self.short()?
            } else {
                if self.at > self.input.len() + 2 {
                    return None;
                }
                self.at += 2;
                0
            };
            self.held |= u32::from(next) << -self.extra;
            self.extra += 16;
        }
        u16::try_from(taken).ok()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Compresses with codes of nine bits for each symbol, and with matches of the byte before only.
    pub(in crate::prefetch) fn compress(plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for block in plain.chunks(BLOCK_BYTES) {
            out.extend([0x99; TABLE_BYTES]);
            let mut bits: Vec<bool> = Vec::new();
            for byte in block {
                for bit in (0..9).rev() {
                    bits.push(u32::from(*byte) >> bit & 1 != 0);
                }
            }
            bits.resize(bits.len().next_multiple_of(16), false);
            for word in bits.chunks(16) {
                let word = word
                    .iter()
                    .fold(0_u16, |word, bit| word << 1 | u16::from(*bit));
                out.extend(word.to_le_bytes());
            }
            out.extend([0; 4]);
        }
        out
    }

    #[test]
    fn bytes_come_back_and_damage_ends() {
        let plain: Vec<u8> = (0..1_000_u32)
            .map(|n| u8::try_from(n % 251).unwrap())
            .collect();
        let packed = compress(&plain);
        assert_eq!(expand(&packed, plain.len()), (plain.clone(), true));
        let (part, whole) = expand(&packed[..700], plain.len());
        // The bits held ahead are zeros behind the end: the last bytes may be made of them.
        let sure = &part[..part.len() - 4];
        assert!(!whole && plain.starts_with(sure) && !sure.is_empty());
        assert_eq!(expand(&[0; 300], 10), (Vec::new(), false));
    }

    #[test]
    fn the_examples_of_the_specification_expand() {
        // MS-XCA section 3.2: "abc" a hundred times, and the alphabet.
        let alphabet = "abcdefghijklmnopqrstuvwxyz";
        let mut packed = vec![0; 48];
        packed.extend([0x50]);
        packed.extend([0x55; 10]);
        packed.extend([0x45, 0x44, 0x04]);
        packed.resize(128, 0);
        packed.extend([0x04]);
        packed.resize(256, 0);
        packed.extend([
            0xd8, 0x52, 0x3e, 0xd7, 0x94, 0x11, 0x5b, 0xe9, 0x19, 0x5f, 0xf9, 0xd6, 0x7c, 0xdf,
            0x8d, 0x04, 0, 0, 0, 0,
        ]);
        assert_eq!(expand(&packed, 26).0, alphabet.as_bytes());
        let mut packed = vec![0; 48];
        packed.extend([0x30, 0x23]);
        packed.resize(128, 0);
        packed.extend([0x02]);
        packed.resize(143, 0);
        packed.extend([0x20]);
        packed.resize(256, 0);
        packed.extend([0xa8, 0xdc, 0, 0, 0xff, 0x26, 0x01]);
        assert_eq!(expand(&packed, 300).0, "abc".repeat(100).into_bytes());
    }
}
