//! Large mailboxes in pieces (RFC 10022).

use crate::support::World;

#[tokio::test]
async fn batches_of_uids_are_told() {
    let world = World::new().await;
    let mut client = world.inbox().await;
    let lines = client.ok("UIDBATCHES 500").await;
    assert_eq!(lines[0], "* UIDBATCHES (TAG \"t3\")");
    let message = "{6+}\r\na: b\r\n";
    for _ in 0..3 {
        let many = format!(" {message}").repeat(400);
        client.ok(&format!("APPEND INBOX{many}")).await;
    }
    client.ok("UID STORE 1:100,650 +FLAGS.SILENT (\\Deleted)").await;
    client.ok("EXPUNGE").await;
    let lines = client.ok("UIDBATCHES 500").await;
    let told = lines
        .iter()
        .find(|line| line.starts_with("* UIDBATCHES"))
        .expect("batches");
    assert!(told.ends_with(" 1200:701,700:200,199:1"), "{told}");
    let lines = client.ok("UIDBATCHES 500 2:2").await;
    assert!(lines[0].ends_with(") 700:200"), "{lines:?}");
    let lines = client.ok("UIDBATCHES 600 3:9").await;
    assert!(lines[0].ends_with("\")"), "{lines:?}");
    client.refused("UIDBATCHES 499", "NO [TOOFEW]").await;
    client.refused("UIDBATCHES 500 3:2", "BAD").await;
    client.ok("ENABLE UIDONLY").await;
    let lines = client.ok("UIDBATCHES 4000000000").await;
    assert!(lines[0].ends_with(" 1200:1"), "{lines:?}");
    client.ok("UNSELECT").await;
    client.refused("UIDBATCHES 500", "BAD").await;
}
