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
        frame(HEADERS, PADDED | PRIORITY, &[&[3, 0, 0, 0, 0, 9, 0x82][..], &literal(300), &[0; 3]].concat()),
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
    assert_eq!(frames.received(&frame(HEADERS, END_HEADERS, &[0x90; MAX_FIELDS])), Ok(()), "each for itself");
    assert_eq!(frames.received(&frame(HEADERS, END_HEADERS, &[0x90; MAX_FIELDS + 1])), Err(Excess::Headers));
    let endless = [0x00, 0x01, b'x', 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(started().received(&frame(HEADERS, 0, &endless)), Err(Excess::Headers));
}

#[test]
fn small_frames_are_counted_by_stream() {
    let of = |stream: u8, kind, flags, payload: &[u8]| {
        let mut bytes = frame(kind, flags, payload);
        bytes[8] = stream;
        bytes
    };
    let mut frames = started();
    for stream in [1, 3] {
        frames.received(&of(stream, HEADERS, END_HEADERS, &[0x83])).expect("a request");
        for _ in 0..1000 {
            frames.received(&of(stream, DATA, 0, b"{}")).expect("a body");
        }
    }
    assert_eq!((frames.streams.newest(), frames.streams.opened()), (3, 2));
    frames.received(&of(1, DATA, END_STREAM, &[])).expect("an end");
    frames.received(&of(3, RESET, 0, &[0, 0, 0, 8])).expect("another end");
    frames.streams.forget(0);
    for stream in [5, 7] {
        for _ in 0..1000 {
            frames.received(&of(stream, DATA, 0, &[])).expect("not yet too many");
        }
    }
    let more = (0..1000).find_map(|_| frames.received(&of(7, DATA, 0, &[])).err());
    assert_eq!(more, Some(Excess::SmallFrames));
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
            let rest =
                rest.map(move |(at, part)| (CONTINUATION, if at == last { END_HEADERS } else { 0 }, part));
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
