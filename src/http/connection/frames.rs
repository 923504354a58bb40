//! Watches the frames that an HTTP/2 caller sends. The HTTP/2 library keeps up to 16 MiB of an unfinished header block for each
//! connection, without a time limit. The server has no setting for it.

use super::streams::Streams;

/// The longest header block, in bytes as sent; as much as HTTP/1.1 may have.
pub const MAX_BLOCK: usize = 128 * 1024;
/// The most fields of a header block: 96 headers, as in HTTP/1.1, and the four that stand for the request line.
pub const MAX_FIELDS: usize = 100;

const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// The codes of frames that end a connection.
pub const NO_ERROR: u8 = 0;
pub const ENHANCE_YOUR_CALM: u8 = 0xb;

/// More than a caller may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// A header block has too many bytes or fields.
    Headers,
    /// Bodies have too many small frames.
    SmallFrames,
}

/// The place in the bytes of a connection.
#[derive(Debug)]
enum Place {
    Preface {
        left: usize,
    },
    FrameHead {
        bytes: [u8; 9],
        have: usize,
    },
    /// The length of the padding is the first byte of the payload.
    PadLength {
        left: usize,
        skip: usize,
    },
    /// The dependency and weight before a header block.
    Skip {
        left: usize,
        then: usize,
        padding: usize,
    },
    Block {
        left: usize,
        padding: usize,
    },
    Other {
        left: usize,
    },
}

/// The place in a field of a header block (HPACK, RFC 7541, section 6). `strings` is how many strings of the field are left.
#[derive(Debug, Clone, Copy)]
enum Field {
    Start,
    Index { strings: u8 },
    Length { strings: u8 },
    LongLength { strings: u8, length: usize, shift: u32 },
    Text { strings: u8, left: usize },
}

/// The frames of a connection so far.
#[derive(Debug)]
pub struct Frames {
    place: Place,
    /// A header block has begun and not ended.
    is_open: bool,
    ends: bool,
    block: usize,
    fields: usize,
    field: Field,
    pub streams: Streams,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            place: Place::Preface { left: PREFACE },
            is_open: false,
            ends: false,
            block: 0,
            fields: 0,
            field: Field::Start,
            streams: Streams::default(),
        }
    }
}

impl Frames {
    /// True while a header block is unfinished.
    pub fn is_block_open(&self) -> bool {
        self.is_open
    }

    /// Follows these bytes.
    ///
    /// # Errors
    /// If a header block is too large, or bodies have too many small frames.
    pub fn received(&mut self, mut bytes: &[u8]) -> Result<(), Excess> {
        while !bytes.is_empty() {
            let taken = self.step(bytes)?;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Follows the bytes up to the end of a part of a frame; returns how many, at least one.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, Excess> {
        let first = bytes.first().copied().unwrap_or_default();
        let (taken, next) = match self.place {
            Place::Preface { left } => {
                let taken = left.min(bytes.len());
                let next = if taken == left { head() } else { Place::Preface { left: left - taken } };
                (taken, next)
            }
            Place::FrameHead { bytes: mut known, have } => {
                if let Some(place) = known.get_mut(have) {
                    *place = first;
                }
                let next = if have < 8 {
                    Place::FrameHead { bytes: known, have: have + 1 }
                } else {
                    self.begin(known)?
                };
                (1, next)
            }
            Place::PadLength { left, skip } => {
                let padding = usize::from(first).min(left.saturating_sub(skip));
                (1, self.block_after(skip, left.saturating_sub(skip + padding), padding))
            }
            Place::Skip { left, then, padding } => {
                let taken = left.min(bytes.len());
                let next = if taken == left {
                    self.block_after(0, then, padding)
                } else {
                    Place::Skip { left: left - taken, then, padding }
                };
                (taken, next)
            }
            Place::Block { left, padding } => {
                let taken = left.min(bytes.len());
                for byte in bytes.iter().take(taken) {
                    self.field(*byte)?;
                }
                let next = if taken == left {
                    self.end_of_frame(padding)
                } else {
                    Place::Block { left: left - taken, padding }
                };
                (taken, next)
            }
            Place::Other { left } => {
                let taken = left.min(bytes.len());
                let next = if taken == left { head() } else { Place::Other { left: left - taken } };
                (taken, next)
            }
        };
        self.place = next;
        Ok(taken)
    }

    /// The place behind a frame's head.
    fn begin(&mut self, [a, b, c, kind, flags, id @ ..]: [u8; 9]) -> Result<Place, Excess> {
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        // The first bit is reserved.
        let stream = u32::from_be_bytes(id) & (u32::MAX >> 1);
        let ends = [DATA, HEADERS].contains(&kind) && flags & END_STREAM != 0;
        if kind == HEADERS {
            self.streams.headers(stream);
        }
        if ends || kind == RESET {
            self.streams.end(stream);
        } else if kind == DATA && !self.streams.data(stream, length) {
            return Err(Excess::SmallFrames);
        }
        let is_block = match kind {
            HEADERS => {
                (self.block, self.fields, self.field) = (0, 0, Field::Start);
                true
            }
            CONTINUATION => true,
            _ => false,
        };
        if !is_block {
            return Ok(if length == 0 { head() } else { Place::Other { left: length } });
        }
        self.is_open = true;
        self.ends = flags & END_HEADERS != 0;
        self.block = self.block.saturating_add(length);
        if self.block > MAX_BLOCK {
            return Err(Excess::Headers);
        }
        let of_headers = if kind == HEADERS { flags } else { 0 };
        let skip = if of_headers & PRIORITY == 0 { 0 } else { 5.min(length) };
        if of_headers & PADDED != 0 && length > 0 {
            return Ok(Place::PadLength { left: length - 1, skip: skip.min(length - 1) });
        }
        Ok(self.block_after(skip, length - skip, 0))
    }

    fn block_after(&mut self, skip: usize, left: usize, padding: usize) -> Place {
        if skip > 0 {
            Place::Skip { left: skip, then: left, padding }
        } else if left > 0 {
            Place::Block { left, padding }
        } else {
            self.end_of_frame(padding)
        }
    }

    fn end_of_frame(&mut self, padding: usize) -> Place {
        self.is_open = !self.ends;
        if padding > 0 { Place::Other { left: padding } } else { head() }
    }

    /// Follows one byte of a header block.
    fn field(&mut self, byte: u8) -> Result<(), Excess> {
        self.field = match self.field {
            Field::Start => {
                self.fields += 1;
                if self.fields > MAX_FIELDS {
                    return Err(Excess::Headers);
                }
                // A field from the table has no strings. The others have a value, and a name unless the table has it. An
                // update of the table's size has none.
                let (mask, is_literal) = match byte {
                    0x80.. => (0x7f, false),
                    0x40..0x80 => (0x3f, true),
                    0x20..0x40 => (0x1f, false),
                    _ => (0x0f, true),
                };
                let index = byte & mask;
                let strings = match (is_literal, index) {
                    (false, _) => 0,
                    (true, 0) => 2,
                    (true, _) => 1,
                };
                if index == mask { Field::Index { strings } } else { next_string(strings) }
            }
            Field::Index { strings } if byte & 0x80 != 0 => Field::Index { strings },
            Field::Index { strings } => next_string(strings),
            Field::Length { strings } => match usize::from(byte & 0x7f) {
                0x7f => Field::LongLength { strings, length: 0x7f, shift: 0 },
                length => text(strings, length),
            },
            Field::LongLength { strings, length, shift } => {
                if shift > 14 {
                    return Err(Excess::Headers);
                }
                let length = length + (usize::from(byte & 0x7f) << shift);
                if byte & 0x80 == 0 {
                    text(strings, length)
                } else {
                    Field::LongLength { strings, length, shift: shift + 7 }
                }
            }
            Field::Text { strings, left } => text(strings, left - 1),
        };
        Ok(())
    }
}

fn head() -> Place {
    Place::FrameHead { bytes: [0; 9], have: 0 }
}

fn next_string(strings: u8) -> Field {
    if strings == 0 { Field::Start } else { Field::Length { strings: strings - 1 } }
}

fn text(strings: u8, left: usize) -> Field {
    if left == 0 { next_string(strings) } else { Field::Text { strings, left } }
}

/// The server's first frame with two settings more, which tell callers our limits: the most streams at once, and the largest
/// list of headers. `None` if the bytes do not start with a whole frame of settings. Returns the length of the old frame, too.
pub fn with_limits(written: &[u8], streams: u32) -> Option<(usize, Vec<u8>)> {
    const MAX_CONCURRENT_STREAMS: [u8; 2] = [0, 3];
    const MAX_HEADER_LIST_SIZE: [u8; 2] = [0, 6];
    let &[a, b, c, 4, 0, 0, 0, 0, 0] = written.first_chunk::<9>()? else { return None };
    let length = u32::from_be_bytes([0, a, b, c]);
    let whole = 9 + usize::try_from(length).ok()?;
    let settings = written.get(9..whole)?;
    let [_, a, b, c] = (length + 12).to_be_bytes();
    let mut frame = vec![a, b, c, 4, 0, 0, 0, 0, 0];
    frame.extend_from_slice(settings);
    frame.extend(MAX_CONCURRENT_STREAMS.into_iter().chain(streams.to_be_bytes()));
    let list = u32::try_from(MAX_BLOCK).unwrap_or(u32::MAX);
    frame.extend(MAX_HEADER_LIST_SIZE.into_iter().chain(list.to_be_bytes()));
    Some((whole, frame))
}

/// A frame that ends a connection, with its reason (GOAWAY). Callers may repeat the requests of streams after `newest`, and
/// only those.
pub fn goodbye(newest: u32, code: u8, reason: &str) -> Vec<u8> {
    let payload = [&newest.to_be_bytes()[..], &[0, 0, 0, code], reason.as_bytes()].concat();
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    [&[a, b, c, 7, 0, 0, 0, 0, 0], payload.as_slice()].concat()
}

#[cfg(test)]
mod tests;
