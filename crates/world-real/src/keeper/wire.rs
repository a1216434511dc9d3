//! Frames between the server and its keeper: a length of four octets, then parts, each with a length of four octets.

use std::io::{self, Read, Write};

/// Writes one frame.
pub(super) fn send(wire: &mut impl Write, parts: &[&[u8]]) -> io::Result<()> {
    let body = pack(parts);
    let mut frame = Vec::with_capacity(4 + body.len());
    frame.extend(length(&body));
    frame.extend(body);
    wire.write_all(&frame)
}

/// Reads one frame; `None` at the end of the stream. A frame over `limit` is an error.
pub(super) fn receive(wire: &mut impl Read, limit: usize) -> io::Result<Option<Vec<Vec<u8>>>> {
    let mut head = [0; 4];
    match wire.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let announced = u32::from_be_bytes(head) as usize;
    if announced > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is too long"));
    }
    let mut body = Vec::new();
    wire.take(announced as u64).read_to_end(&mut body)?;
    if body.len() < announced {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    unpack(&body)
        .map(Some)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a frame is not made of parts"))
}

/// Parts one after the other.
pub(super) fn pack(parts: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        body.extend(length(part));
        body.extend_from_slice(part);
    }
    body
}

/// The parts again.
pub(super) fn unpack(mut body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut parts = Vec::new();
    while !body.is_empty() {
        let (head, rest) = body.split_first_chunk::<4>()?;
        let (part, rest) = rest.split_at_checked(u32::from_be_bytes(*head) as usize)?;
        parts.push(part.to_vec());
        body = rest;
    }
    Some(parts)
}

fn length(part: &[u8]) -> [u8; 4] {
    u32::try_from(part.len())
        .expect("frames are far below 4 GiB: files are read up to 1 MiB each")
        .to_be_bytes()
}
