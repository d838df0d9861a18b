//! Maps of sparse files: where stored bytes go.

use std::io::{self, BufRead, Read};

use super::header;
use super::member::Segment;

/// Segments of one file; a map of more would cost more memory than the file is worth.
const MAX_SEGMENTS: usize = 1 << 20;

/// Checks that segments are in order, within the file, and account for all stored bytes.
pub(super) fn check(segments: &[Segment], real_size: u64, stored: u64) -> Result<(), String> {
    let mut end = 0_u64;
    let mut total = 0_u64;
    for segment in segments {
        if segment.offset < end {
            return Err("segments of a sparse file overlap".to_owned());
        }
        end = segment
            .offset
            .checked_add(segment.length)
            .ok_or("a sparse segment is too long")?;
        total = total
            .checked_add(segment.length)
            .ok_or("a sparse segment is too long")?;
    }
    if end > real_size {
        return Err("a segment of a sparse file ends after the file".to_owned());
    }
    if total != stored {
        return Err("the segments of a sparse file are not what is stored".to_owned());
    }
    Ok(())
}

/// Reads the four entries of an old GNU header, or the 21 of a continuation block.
pub(super) fn old_entries(block: &[u8], segments: &mut Vec<Segment>) -> Result<(), String> {
    for entry in block.chunks_exact(24) {
        let (offset, length) = entry.split_at(12);
        if offset.first().is_none_or(|byte| *byte == 0) {
            break;
        }
        let offset = header::number(offset).ok_or("a sparse offset is not a number")?;
        let length = header::number(length).ok_or("a sparse length is not a number")?;
        push(segments, Segment { offset, length })?;
    }
    Ok(())
}

/// Reads the map at the beginning of the data (GNU sparse 1.0): decimal numbers, one a line, padded
/// to a block. Gives the segments and the bytes that the map took.
pub(super) fn map_in_data(data: &mut impl BufRead) -> io::Result<(Vec<Segment>, u64)> {
    let bad = |reason: &str| io::Error::new(io::ErrorKind::InvalidData, reason.to_owned());
    let mut taken = 0_u64;
    let mut line = || -> io::Result<u64> {
        let mut digits = Vec::new();
        let read = data.take(24).read_until(b'\n', &mut digits)?;
        taken += read as u64;
        digits
            .strip_suffix(b"\n")
            .and_then(super::pax::number)
            .ok_or_else(|| bad("the map of a sparse file is not a list of numbers"))
    };
    let count = line()?;
    if count > MAX_SEGMENTS as u64 {
        return Err(bad("a sparse file has too many segments"));
    }
    let mut segments = Vec::new();
    for _ in 0..count {
        segments.push(Segment {
            offset: line()?,
            length: line()?,
        });
    }
    let padding = (512 - taken % 512) % 512;
    io::copy(&mut data.take(padding), &mut io::sink())?;
    Ok((segments, taken + padding))
}

fn push(segments: &mut Vec<Segment>, segment: Segment) -> Result<(), String> {
    if segments.len() >= MAX_SEGMENTS {
        return Err("a sparse file has too many segments".to_owned());
    }
    segments.push(segment);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_must_be_in_order_and_within_the_file() {
        let at = |offset, length| Segment { offset, length };
        check(&[at(0, 2), at(10, 2)], 20, 4).unwrap();
        for (segments, size, stored, reason) in [
            (vec![at(0, 4), at(2, 2)], 20, 6, "overlap"),
            (vec![at(18, 4)], 20, 4, "ends after the file"),
            (vec![at(0, 2)], 20, 4, "not what is stored"),
            (vec![at(u64::MAX, 2)], u64::MAX, 2, "too long"),
        ] {
            let error = check(&segments, size, stored).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_map_in_the_data_is_padded_to_a_block() {
        let mut data = b"2\n0\n3\n1000\n4\n".to_vec();
        data.resize(512, 0);
        data.extend_from_slice(b"abcdefg");
        let (segments, taken) = map_in_data(&mut &data[..]).unwrap();
        assert_eq!(taken, 512);
        assert_eq!(segments.len(), 2);
        assert_eq!(
            segments[1],
            Segment {
                offset: 1000,
                length: 4
            }
        );
        for (map, reason) in [
            (&b"x\n"[..], "not a list of numbers"),
            (b"99999999\n", "too many segments"),
        ] {
            let error = map_in_data(&mut &map[..]).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn segments_may_touch_each_other_and_the_end() {
        let at = |offset, length| Segment { offset, length };
        check(&[at(0, 2), at(2, 2), at(4, 0)], 4, 4).unwrap();
        check(&[], 0, 0).unwrap();
        for (segments, size, stored) in [
            (vec![at(0, 2), at(1, 1)], 20, 3),
            (vec![at(0, 2)], 1, 2),
            (vec![at(0, 2)], 20, 1),
            (vec![], 20, 1),
        ] {
            assert!(check(&segments, size, stored).is_err(), "{segments:?}");
        }
    }

    #[test]
    fn entries_of_an_old_header_end_where_an_offset_is_empty() {
        let entry = |offset: u64, length: u64| format!("{offset:011o}\0{length:011o}\0");
        let read = |block: &[u8]| {
            let mut segments = Vec::new();
            old_entries(block, &mut segments).map(|()| segments)
        };
        let two = [entry(0, 5), entry(9, 7)].concat();
        let expected = [
            Segment {
                offset: 0,
                length: 5,
            },
            Segment {
                offset: 9,
                length: 7,
            },
        ];
        assert_eq!(read(two.as_bytes()).unwrap(), expected);
        let ended = [two.as_bytes(), &[0; 24], entry(20, 1).as_bytes()].concat();
        assert_eq!(read(&ended).unwrap(), expected);
        assert!(read(&[b'x'; 24]).is_err());
        let bad_length = [entry(0, 5).as_bytes()[..12].to_vec(), vec![b'x'; 12]].concat();
        assert!(read(&bad_length).unwrap_err().contains("length"));
    }

    #[test]
    fn a_map_has_so_many_segments_and_no_more() {
        let one = Segment {
            offset: 0,
            length: 0,
        };
        let mut segments = vec![one; MAX_SEGMENTS - 1];
        push(&mut segments, one).unwrap();
        assert!(push(&mut segments, one).unwrap_err().contains("too many"));
        let of = |count: usize| {
            let map = format!("{count}\n{}", "0\n0\n".repeat(count.min(MAX_SEGMENTS)));
            map_in_data(&mut map.as_bytes()).map(|(segments, _)| segments.len())
        };
        assert_eq!(of(MAX_SEGMENTS).unwrap(), MAX_SEGMENTS);
        assert!(of(MAX_SEGMENTS + 1).is_err());
    }

    #[test]
    fn a_map_takes_whole_blocks_of_the_data() {
        let taken = |entries: usize, last: &str| {
            let mut map = format!("{entries}\n{}", "1\n1\n".repeat(entries - 1));
            map += last;
            let length = map.len();
            let mut data = map.into_bytes();
            data.resize(length.next_multiple_of(512), 0);
            data.extend_from_slice(b"rest");
            let mut rest = data.as_slice();
            let (_, taken) = map_in_data(&mut rest).unwrap();
            assert_eq!(rest, b"rest");
            (length, taken)
        };
        assert_eq!(taken(2, "1\n1\n"), (10, 512));
        // 4 bytes of the count, 126 entries of four, and one of eight: no padding at all.
        assert_eq!(taken(126, "11\n111\n"), (511, 512));
        assert_eq!(taken(126, "111\n111\n"), (512, 512));
        assert_eq!(taken(126, "1111\n111\n"), (513, 1024));
    }
}
