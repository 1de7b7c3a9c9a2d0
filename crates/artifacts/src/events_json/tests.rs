//! Cases of whole exports.
#![expect(
    clippy::needless_raw_string_hashes,
    reason = "written so by expect-test"
)]

use crate::testing::check;
use expect_test::expect;

const PATH: &str = "C:\\export\\events.json";

#[test]
fn one_event_a_line_of_several_writers() {
    check(
        PATH,
        br##"{"Event":{"System":{"Provider":{"#attributes":{"Name":"P"}},"EventID":4688,"TimeCreated":{"#attributes":{"SystemTime":"2021-03-14T01:40:12.987Z"}},"EventRecordID":7,"Channel":"Security","Computer":"MX"},"EventData":{"CommandLine":"cmd /c whoami"}}}
{"@timestamp":"2021-03-14T01:40:13.000Z","winlog":{"channel":"Security","event_id":4688,"record_id":9,"computer_name":"MX","event_data":{"CommandLine":"net user"}}}
{"EventTime":"2021-03-13 20:40:14","@timestamp":"2021-03-14T01:40:14.5Z","Hostname":"MX","EventID":1,"SourceName":"MSExchange CmdletLogs","Channel":"MSExchange Management","Message":"text"}
{"EventTime":"2021-03-14T02:40:15+01:00","Hostname":"MX","EventID":11,"SourceName":"S","Channel":"Microsoft-Windows-Sysmon/Operational","TargetFilename":"C:\\x.aspx"}
{"EventTime":"2021-03-14 02:40:15","Hostname":"MX","EventID":11,"SourceName":"S","Channel":"Security"}
"##,
        &["EventID", "channel", "command", "target_file", "server"],
        expect![[r#"
            kind: windows.event_json
            source: windows.eventlog:security
            records: 5
              2021-03-14T01:40:12.987Z | line 1 | EventID=4688 | channel=Security | command=cmd /c whoami | server=MX
              2021-03-14T01:40:13Z | line 2 | EventID=4688 | channel=Security | command=net user | server=MX
              2021-03-14T01:40:14.5Z | line 3 | EventID=1 | channel=MSExchange Management | server=MX
              2021-03-14T01:40:15Z | line 4 | EventID=11 | channel=Microsoft-Windows-Sysmon/Operational | target_file=C:\\x.aspx | server=MX
              - | line 5 | EventID=11 | channel=Security | server=MX
            rejected: 0
            facts: 4
              item | {"fact":"event_log","channel":"MSExchange Management","computer":"MX","first_id":0,"last_id":0,"first":"2021-03-14T01:40:14.5Z","last":"2021-03-14T01:40:14.5Z","missing_ids":[],"next_id":null,"live":false}
              item | {"fact":"event_log","channel":"Microsoft-Windows-Sysmon/Operational","computer":"MX","first_id":0,"last_id":0,"first":"2021-03-14T01:40:15Z","last":"2021-03-14T01:40:15Z","missing_ids":[],"next_id":null,"live":false}
              item | {"fact":"event_log","channel":"Security","computer":"MX","first_id":7,"last_id":9,"first":"2021-03-14T01:40:12.987Z","last":"2021-03-14T01:40:13Z","missing_ids":[{"first_id":8,"last_id":8,"from":"2021-03-14T01:40:12.987Z","until":"2021-03-14T01:40:13Z"}],"next_id":null,"live":false}
              item | {"fact":"host_name","name":"MX","rule":"event log Computer","rank":50}
            gaps: 1
              not_understood | item | events with a local time whose zone the export does not say: 1; they are read without a time
        "#]],
    );
}

#[test]
fn events_that_set_something_up_are_facts_with_their_first_and_last_time() {
    check(
        PATH,
        br#"{"@timestamp":"2021-03-14T01:40:01Z","winlog":{"channel":"Security","event_id":4720,"record_id":1,"event_data":{"TargetUserName":"support","SubjectUserName":"bob"}}}
{"@timestamp":"2021-03-14T01:40:02Z","winlog":{"channel":"Security","event_id":4732,"record_id":2,"event_data":{"TargetUserName":"Administrators","MemberName":"-","MemberSid":"S-1-5-21-1-2-3-1007","SubjectUserName":"bob"}}}
{"@timestamp":"2021-03-14T01:40:03Z","winlog":{"channel":"Security","event_id":4698,"record_id":3,"event_data":{"TaskName":"\\Winnet","TaskContent":"<?xml version=\"1.0\"?><Task><Actions><Exec><Command>C:\\a.exe</Command><Arguments>/x</Arguments></Exec></Actions></Task>"}}}
{"@timestamp":"2021-03-14T01:40:04Z","winlog":{"channel":"System","event_id":7045,"record_id":4,"event_data":{"ServiceName":"odd","ImagePath":"C:\\odd.exe"}}}
{"@timestamp":"2021-03-14T01:40:05Z","winlog":{"channel":"System","event_id":7045,"record_id":5,"event_data":{"ServiceName":"odd","ImagePath":"C:\\odd.exe"}}}
{"@timestamp":"2021-03-14T01:40:06Z","winlog":{"channel":"System","event_id":7045,"record_id":6,"event_data":{"ServiceName":"odd","ImagePath":"C:\\odd2.exe"}}}
{"@timestamp":"2021-03-14T01:40:07Z","winlog":{"channel":"Application","event_id":4720,"record_id":7,"event_data":{"TargetUserName":"nobody"}}}
"#,
        &["event_id"],
        expect![[r#"
            kind: windows.event_json
            source: windows.eventlog:security
            records: 7
              2021-03-14T01:40:01Z | line 1 | event_id=4720
              2021-03-14T01:40:02Z | line 2 | event_id=4732
              2021-03-14T01:40:03Z | line 3 | event_id=4698
              2021-03-14T01:40:04Z | line 4 | event_id=7045
              2021-03-14T01:40:05Z | line 5 | event_id=7045
              2021-03-14T01:40:06Z | line 6 | event_id=7045
              2021-03-14T01:40:07Z | line 7 | event_id=4720
            rejected: 0
            facts: 8
              item | {"fact":"event_log","channel":"Application","computer":"","first_id":7,"last_id":7,"first":"2021-03-14T01:40:07Z","last":"2021-03-14T01:40:07Z","missing_ids":[],"next_id":null,"live":false}
              item | {"fact":"event_log","channel":"Security","computer":"","first_id":1,"last_id":3,"first":"2021-03-14T01:40:01Z","last":"2021-03-14T01:40:03Z","missing_ids":[],"next_id":null,"live":false}
              item | {"fact":"event_log","channel":"System","computer":"","first_id":4,"last_id":6,"first":"2021-03-14T01:40:04Z","last":"2021-03-14T01:40:06Z","missing_ids":[],"next_id":null,"live":false}
              line 1 | {"fact":"persistence","kind":"account","name":"support","command":"","changed":"2021-03-14T01:40:01Z","clock":"event 4720 of the log Security: created","author":"bob"}
              line 2 | {"fact":"persistence","kind":"group_membership","name":"Administrators","command":"S-1-5-21-1-2-3-1007","changed":"2021-03-14T01:40:02Z","clock":"event 4732 of the log Security: a member was added","author":"bob"}
              line 4 | {"fact":"persistence","kind":"service","name":"odd","command":"C:\\odd.exe","changed":"2021-03-14T01:40:04Z","clock":"event 7045 of the log System: installed","author":""}
              line 6 | {"fact":"persistence","kind":"service","name":"odd","command":"C:\\odd2.exe","changed":"2021-03-14T01:40:06Z","clock":"event 7045 of the log System: installed","author":""}
              line 3 | {"fact":"persistence","kind":"scheduled_task","name":"\\Winnet","command":"C:\\a.exe /x","changed":"2021-03-14T01:40:03Z","clock":"event 4698 of the log Security: created","author":""}
            gaps: 0
        "#]],
    );
}

#[test]
fn arrays_printed_over_many_lines() {
    check(
        PATH,
        br#"[
  {
    "System": {"Provider": {"Name": "P"}, "EventID": {"Value": 1102}, "Channel": "Security", "TimeCreated": {"SystemTime": 1615685852.5}, "Computer": "MX"},
    "EventData": {"Image": "c.exe"}
  },
  {"EventID": 2, "Channel": "System", "TimeCreated": "/Date(1615685853000)/"},
  "no object",
  {"EventID": 3, "Channel": "Sys
]"#,
        &["*"],
        expect![[r#"
            kind: windows.event_json
            source: windows.eventlog:security
            records: 2
              2021-03-14T01:37:32.5Z | record 1 | Provider_Name=P | EventID=1102 | Channel=Security | TimeCreated_SystemTime=1615685852.5 | Computer=MX | Image=c.exe | channel=Security | event_id=1102 | provider=P | server=MX | process=c.exe
              2021-03-14T01:37:33Z | record 2 | EventID=2 | Channel=System | TimeCreated=/Date(1615685853000)/ | channel=System | event_id=2
            rejected: 2
              record 3 | not an object
              record 4 | line end inside a text
            facts: 3
              item | {"fact":"event_log","channel":"Security","computer":"MX","first_id":0,"last_id":0,"first":"2021-03-14T01:37:32.5Z","last":"2021-03-14T01:37:32.5Z","missing_ids":[],"next_id":null,"live":false}
              item | {"fact":"event_log","channel":"System","computer":"","first_id":0,"last_id":0,"first":"2021-03-14T01:37:33Z","last":"2021-03-14T01:37:33Z","missing_ids":[],"next_id":null,"live":false}
              item | {"fact":"host_name","name":"MX","rule":"event log Computer","rank":50}
            gaps: 1
              partial | item | 2 records of the export could not be read
        "#]],
    );
}

#[test]
fn damaged_lines_are_counted_and_the_next_is_read() {
    check(
        PATH,
        b"{\"EventID\":1,\"Channel\":\"System\",\"EventRecordID\":1}\n{\"EventID\":2,\"Chan\n{\"note\":\"no event\"}\n\0\0\0\0\n{\"EventID\":5,\"Channel\":\"System\",\"EventRecordID\":5}",
        &["EventID"],
        expect![[r#"
            kind: windows.event_json
            source: windows.eventlog:system
            records: 2
              - | line 1 | EventID=1
              - | line 5 | EventID=5
            rejected: 3
              line 2 | not a JSON object
              line 3 | not an event
              line 4 | run of zero bytes
            facts: 1
              item | {"fact":"event_log","channel":"System","computer":"","first_id":1,"last_id":5,"first":null,"last":null,"missing_ids":[{"first_id":2,"last_id":4,"from":null,"until":null}],"next_id":null,"live":false}
            gaps: 1
              partial | item | 3 records of the export could not be read
        "#]],
    );
}

#[test]
fn other_json_is_not_taken() {
    check(
        PATH,
        b"{\"name\":\"x\",\"EventIDs\":[1]}\n",
        &["*"],
        expect![[r#"
            not recognised
        "#]],
    );
}
