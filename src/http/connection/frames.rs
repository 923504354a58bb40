//! Watches the frames that an HTTP/2 caller sends. The HTTP/2 library keeps up to 16 MiB of an unfinished header block for each
//! connection, without a time limit, and an entry for each frame of a body that waits to be read, even if the frame is
//! empty (RUSTSEC-2026-0258). The server has no setting for either.

/// The longest header block, in bytes as sent; as much as HTTP/1.1 may have.
pub const MAX_BLOCK: usize = 128 * 1024;
/// The most fields of a header block: 96 headers, as in HTTP/1.1, and the four that stand for the request line.
pub const MAX_FIELDS: usize = 100;

const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// The most small frames of bodies. Each stream that ends gives [`PER_STREAM`] back.
const MAX_SMALL: u32 = 1000;
/// Small frames of a body that clients send: some send its end as a frame of its own.
const PER_STREAM: u32 = 2;
/// Frames of bodies below this length are small, in bytes.
const SMALL: usize = 512;

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
    small: u32,
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
            small: 0,
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
    fn begin(&mut self, [a, b, c, kind, flags, ..]: [u8; 9]) -> Result<Place, Excess> {
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        if [DATA, HEADERS].contains(&kind) && flags & END_STREAM != 0 {
            self.small = self.small.saturating_sub(PER_STREAM);
        } else if kind == DATA && length < SMALL {
            self.small += 1;
            if self.small > MAX_SMALL {
                return Err(Excess::SmallFrames);
            }
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

/// A frame that ends a connection, with its reason (GOAWAY, ENHANCE_YOUR_CALM).
pub fn goodbye(reason: &str) -> Vec<u8> {
    let payload = [&[0, 0, 0, 0, 0, 0, 0, 0xb], reason.as_bytes()].concat();
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    [&[a, b, c, 7, 0, 0, 0, 0, 0], payload.as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let [_, a, b, c] = u32::try_from(payload.len()).expect("short").to_be_bytes();
        [&[a, b, c, kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// A literal with a new name, its value of this length.
    fn literal(length: usize) -> Vec<u8> {
        let mut text = b"\x00\x01x".to_vec();
        match length {
            ..127 => text.push(u8::try_from(length).expect("short")),
            _ => {
                let mut rest = length - 127;
                text.push(127);
                while rest >= 128 {
                    text.push(u8::try_from(rest % 128).expect("short") | 0x80);
                    rest /= 128;
                }
                text.push(u8::try_from(rest).expect("short"));
            }
        }
        text.extend(std::iter::repeat_n(b'a', length));
        text
    }

    fn started() -> Frames {
        let mut frames = Frames::default();
        frames.received(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("a preface");
        frames.received(&frame(4, 0, &[0, 4, 0, 0, 0, 0])).expect("settings");
        frames
    }

    #[test]
    fn a_block_is_open_until_its_last_frame_however_the_bytes_are_cut() {
        let bytes = [
            frame(
                HEADERS,
                PADDED | PRIORITY,
                &[&[3, 0, 0, 0, 0, 9, 0x82][..], &literal(300), &[0; 3]].concat(),
            ),
            frame(CONTINUATION, 0, &literal(0)),
            frame(CONTINUATION, END_HEADERS, &[0x87, 0x7f, 0x80, 0x01, 0x01, b'v']),
        ];
        let mut whole = started();
        let mut cut = started();
        for (at, frame) in bytes.iter().enumerate() {
            whole.received(frame).expect("small");
            for byte in frame {
                cut.received(&[*byte]).expect("small");
            }
            assert_eq!((whole.is_block_open(), cut.is_block_open()), (at < 2, at < 2));
            assert_eq!((whole.fields, whole.block), (cut.fields, cut.block));
        }
        assert_eq!(whole.fields, 5);
        assert!(matches!(whole.field, Field::Start), "{whole:?}");
        whole.received(&frame(0, 1, &[7; 100])).expect("data");
        assert!(matches!(whole.place, Place::FrameHead { have: 0, .. }));
    }

    #[test]
    fn too_many_bytes_or_fields_are_too_large() {
        let mut frames = started();
        assert_eq!(frames.received(&frame(HEADERS, 0, &literal(16_000))), Ok(()));
        let more = (0..8).map(|_| frames.received(&frame(CONTINUATION, 0, &literal(16_000))));
        assert_eq!(more.filter(Result::is_err).count(), 1);

        let mut frames = started();
        assert_eq!(frames.received(&frame(HEADERS, END_HEADERS, &[0x90; MAX_FIELDS])), Ok(()));
        assert_eq!(
            frames.received(&frame(HEADERS, END_HEADERS, &[0x90; MAX_FIELDS])),
            Ok(()),
            "each for itself"
        );
        assert_eq!(
            frames.received(&frame(HEADERS, END_HEADERS, &[0x90; MAX_FIELDS + 1])),
            Err(Excess::Headers)
        );
        let endless = [0x00, 0x01, b'x', 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(started().received(&frame(HEADERS, 0, &endless)), Err(Excess::Headers));
    }

    #[test]
    fn small_frames_of_bodies_are_counted_until_streams_end() {
        let mut frames = started();
        for _ in 0..10 * MAX_SMALL {
            // As clients send a small body: its bytes, and its end.
            frames.received(&frame(HEADERS, END_HEADERS, &[0x83])).expect("a request");
            frames.received(&frame(DATA, 0, b"{}")).expect("a body");
            frames.received(&frame(DATA, END_STREAM, &[])).expect("an end");
        }
        for _ in 0..MAX_SMALL {
            frames.received(&frame(DATA, 0, &[])).expect("not yet too many");
            frames.received(&frame(DATA, 0, &[0; SMALL])).expect("not small");
        }
        assert_eq!(frames.received(&frame(DATA, 0, &[])), Err(Excess::SmallFrames));
    }

    #[test]
    fn a_block_of_one_long_url_is_taken() {
        let mut frames = started();
        for (kind, flags, payload) in
            [(HEADERS, 0, literal(65_534))].into_iter().flat_map(|(kind, flags, text)| {
                let (first, rest) = text.split_at(16_384);
                let rest: Vec<Vec<u8>> = rest.chunks(16_384).map(<[u8]>::to_vec).collect();
                let last = rest.len() - 1;
                let rest = rest.into_iter().enumerate();
                let rest = rest
                    .map(move |(at, part)| (CONTINUATION, if at == last { END_HEADERS } else { 0 }, part));
                [(kind, flags, first.to_vec())].into_iter().chain(rest).collect::<Vec<_>>()
            })
        {
            frames.received(&frame(kind, flags, &payload)).expect("as long as a URL may be");
        }
        assert!(!frames.is_block_open());
    }

    #[test]
    fn the_first_frame_of_the_server_names_the_limits() {
        let first = frame(4, 0, &[0, 4, 0, 16, 0, 0]);
        let first = [&first[..8], &[0], &first[9..], b"rest"].concat();
        let (length, told) = with_limits(&first, 256).expect("settings");
        assert_eq!((length, told.len()), (15, 27));
        assert_eq!(told[..9], [0, 0, 18, 4, 0, 0, 0, 0, 0]);
        assert_eq!(told[15..], [0, 3, 0, 0, 1, 0, 0, 6, 0, 2, 0, 0]);
        assert_eq!(with_limits(&first[..14], 256), None);
        assert_eq!(with_limits(b"HTTP/1.1 200 OK\r\n", 256), None);
    }
}
