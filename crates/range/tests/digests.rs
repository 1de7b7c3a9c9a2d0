//! The same options give the same bytes, on any machine and in any later version: whoever changes what a server is made
//! of sees it here, and runs the test once with `UPDATE_EXPECT=1`.

use expect_test::expect;
use jiff::Timestamp;
use range::{Collection, Layout, Memory, Options, make};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Files, bytes and a hash of names, times and contents, for each kind of file.
fn digests(seed: u64) -> String {
    let time = |text: &str| text.parse::<Timestamp>().expect("a time");
    let options = Options {
        start: time("2021-02-27T00:00:00Z"),
        end: time("2021-03-05T00:00:00Z"),
        ..Options::new("clean", seed)
    };
    let mut sink = Collection::new(Memory::default(), Layout::Drives);
    make(&options, &mut sink).expect("the options are sound");
    let mut kinds = BTreeMap::<String, (usize, usize, Sha256)>::new();
    for (name, (modified, bytes)) in &sink.container.files {
        let folders = [
            "HttpProxy",
            "ECP",
            "LogFiles",
            "winevt",
            "config",
            "Temporary ASP.NET Files",
        ];
        let kind = folders
            .into_iter()
            .find(|folder| name.split('/').any(|part| part == *folder))
            .unwrap_or("other");
        let (files, size, hash) = kinds.entry(kind.to_owned()).or_default();
        *files += 1;
        *size += bytes.len();
        hash.update(name.as_bytes());
        hash.update(modified.to_string().as_bytes());
        hash.update(bytes);
    }
    let mut text = String::new();
    for (kind, (files, size, hash)) in kinds {
        let hash = hash.finalize();
        let hash = hash.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string succeeds");
            text
        });
        writeln!(text, "{kind}: {files} files, {size} bytes, {hash}")
            .expect("writing to a string succeeds");
    }
    text
}

#[test]
fn a_server_of_seed_1_is_what_it_was() {
    expect![[r"
        ECP: 12 files, 186733 bytes, bedb80e40b63106d6061689bc2bcf01280bb63706858ea2c92da571f848d4157
        HttpProxy: 951 files, 2762363 bytes, a83b0c00132ac93d09abfc7035d45a02f1d9d958a14f148ad99fb4d7edb209e3
        LogFiles: 13 files, 903231 bytes, b58328933153472848bdff1a0a222f33d82e3e3403d45f3d50ce91497ddf9c47
        Temporary ASP.NET Files: 6 files, 5571 bytes, e6296db34345b26130001b1aea56e0b51b9c258d0bad5d3e8b8bfef878cfe9e6
        config: 3 files, 36336 bytes, 0cf67659c1456f17c4836eefc24e18b801fa6783805076481fdd1dd633d91f08
        other: 172 files, 315147 bytes, bc498a30f036d36cddab2213f8d93f25d7aadf148e0a02326bba98991ab16bdb
        winevt: 8 files, 557056 bytes, 3953501303cdb8d2e3394c586e13af1308bf561ea4fcfce7fd011d29155221fe
    "]].assert_eq(&digests(1));
}

#[test]
fn a_server_of_seed_2_is_what_it_was() {
    expect![[r"
        ECP: 12 files, 188810 bytes, 4047c523ac432bdfb56acf608174f6ebe30f4fac8eeff9aa30f84d9b83504ae1
        HttpProxy: 968 files, 2913977 bytes, 64194b934383dcee0ef01321ed9e1560c3c38222a4f729fbdd9f6672a261d635
        LogFiles: 13 files, 1004651 bytes, bf17e713e6db6c85edbbcdbf839620e91a567d069b375cfc5ccd3e3075cdf36a
        Temporary ASP.NET Files: 6 files, 5571 bytes, 6cdc2d2c476b9b38dbeefdbb54cec8b145270116d8137344e2b06ecabe170479
        config: 3 files, 36336 bytes, 408c2b5820ffdcb2b2649075b895c3d304ff55873cb286b2e6930c3f44d009c7
        other: 168 files, 298001 bytes, 0efb26a942cfdfc4d76f15255fa8cdf8ac42aef00027968adb9ca263bc2aa5b6
        winevt: 8 files, 557056 bytes, 3ff6e6e69158bac672782e504e2e2318d7ce1c4850dfd5e36e4a959f98e4609d
    "]].assert_eq(&digests(2));
}
