use proptest::prelude::*;

use super::*;

fn converted(message: &[u8]) -> String {
    let result = to_seven_bit(message).expect("can be made 7-bit");
    String::from_utf8(result.into_owned()).expect("7-bit")
}

#[test]
fn leaves_are_encoded_and_labels_say_what_is() {
    let table: &[(&[u8], &str)] = &[
        (b"A: b\r\n\r\nplain\r\n", "A: b\r\n\r\nplain\r\n"),
        // A single text.
        (
            b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
            Gr\xc3\xbc\xc3\x9fe aus einer langen Zeile = \r\n.\r\nund mehr davon als zuvor\r\n",
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\n\
            Gr=C3=BC=C3=9Fe aus einer langen Zeile =3D=20\r\n.\r\nund mehr davon als zuvor\r\n",
        ),
        // Mostly 8-bit: base64 is shorter.
        (
            b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\xc3\xbc\xc3\xbc\xc3\xbc\r\n",
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nw7zDvMO8DQo=\r\n",
        ),
        // No MIME at all.
        (
            b"Subject: x\r\n\r\neinige W\xc3\xb6rter mehr\r\n",
            "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\neinige W=C3=B6rter mehr\r\n",
        ),
        (
            b"Subject: x\r\n\r\neinige W\xf6rter mehr\r\n",
            "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\neinige W=F6rter mehr\r\n",
        ),
        // Only the label is wrong.
        (
            b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8BIT\r\n\r\nplain\r\n",
            "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 7bit\r\n\r\nplain\r\n",
        ),
        // A multipart: the part without a field gets one, the binary one base64, the container says 7bit.
        (
            b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\r\n\
            --b\r\n\r\neinige W\xc3\xb6rter mehr\r\n--b\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--b--\r\n",
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
            --b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\neinige W=C3=B6rter mehr\r\n\
            --b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n--b--\r\n",
        ),
        // Inside a forwarded message.
        (
            b"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
            Subject: y\r\nContent-Transfer-Encoding: 8bit\r\n\r\neinige W\xc3\xb6rter mehr\r\n",
            "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
            Subject: y\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\neinige W=C3=B6rter mehr\r\n",
        ),
        // A second field of the name goes.
        (
            b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\ncontent-transfer-encoding:\r\n 7bit\r\nA: b\r\n\r\n\
            einige W\xc3\xb6rter mehr\r\n",
            "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\nA: b\r\n\
            Content-Type: text/plain; charset=utf-8\r\n\r\neinige W=C3=B6rter mehr\r\n",
        ),
        // Signed, and already 7-bit: not even the label changes.
        (
            b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\nplain\r\n--b--\r\n",
            "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\nplain\r\n--b--\r\n",
        ),
    ];
    for (message, want) in table {
        assert_eq!(converted(message), *want, "{}", message.escape_ascii());
    }
}

#[test]
fn what_would_be_harmed_stays() {
    let table: &[(&[u8], CannotDowngrade)] = &[
        (b"Subject: gr\xc3\xbcn\r\n\r\nx\r\n", CannotDowngrade::Header),
        (
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Description: \xc3\xbc\r\n\r\nx\r\n--b--\r\n",
            CannotDowngrade::Header,
        ),
        (
            b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\xc3\xbc\r\n--b--\r\n",
            CannotDowngrade::Signed,
        ),
        (
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n\xc3\xbc\r\n",
            CannotDowngrade::Encoded,
        ),
        (
            b"Content-Transfer-Encoding: x-uuencode\r\n\r\n\xc3\xbc\r\n",
            CannotDowngrade::Encoded,
        ),
        (
            b"Content-Type: message/partial; id=a; number=1\r\n\r\n\xc3\xbc\r\n",
            CannotDowngrade::Kind,
        ),
        (
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n\xc3\xbc\r\n--b\r\n\r\nx\r\n--b--\r\n",
            CannotDowngrade::Structure,
        ),
        (
            b"Content-Type: multipart/mixed\r\n\r\n\xc3\xbc\r\n",
            CannotDowngrade::Structure,
        ),
    ];
    for (message, want) in table {
        assert_eq!(
            to_seven_bit(message).map(|_| ()),
            Err(*want),
            "{}",
            message.escape_ascii()
        );
    }
}

#[test]
fn a_soft_break_makes_no_delimiter() {
    let line = [b"\xc3\xbc ".to_vec(), vec![b'a'; 68], b"--b--".to_vec()].concat();
    let mut message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n".to_vec();
    for pad in 0..80 {
        message.extend_from_slice(&vec![b'a'; pad]);
        message.extend_from_slice(&line);
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b"--b--\r\n");
    crate::fuzzing::fuzz_downgrade(&message);
    assert!(converted(&message).contains("quoted-printable"));
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[ -~]{0,20}".prop_map(String::into_bytes),
        2 => Just(b"\r\n".to_vec()),
        2 => proptest::collection::vec(0x80_u8..=0xff, 1..6),
        1 => Just(b"=".to_vec()),
        1 => Just(b" \t\r\n".to_vec()),
        1 => Just(b".\r\n".to_vec()),
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn every_part_decodes_to_what_it_was(
        parts in proptest::collection::vec((octets(), 0_usize..3), 1..5),
    ) {
        let kinds = ["text/plain; charset=utf-8", "image/png", "application/octet-stream"];
        let mut message = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_zz\"\r\n\r\n".to_vec();
        for (body, kind) in &parts {
            let head = format!("--=_zz\r\nContent-Type: {}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", kinds[*kind]);
            message.extend_from_slice(head.as_bytes());
            message.extend_from_slice(body);
            message.extend_from_slice(b"\r\n");
        }
        message.extend_from_slice(b"--=_zz--\r\n");
        prop_assume!(Structure::parse(&message).parts().len() == parts.len() + 1);
        crate::fuzzing::fuzz_downgrade(&message);
        prop_assert!(to_seven_bit(&message).is_ok());
    }

    #[test]
    fn any_bytes_are_converted_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        crate::fuzzing::fuzz_downgrade(&bytes);
    }
}
