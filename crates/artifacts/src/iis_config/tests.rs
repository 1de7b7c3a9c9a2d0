//! Cases of whole configurations.
#![expect(
    clippy::needless_raw_string_hashes,
    reason = "written so by expect-test"
)]

use crate::testing::check;
use expect_test::expect;

const SERVER: &str = "C:\\Windows\\System32\\inetsrv\\config\\applicationHost.config";
const FOLDER: &str = "C:\\inetpub\\wwwroot\\web.config";

const SERVER_CONFIG: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<configuration>
  <system.applicationHost>
    <sites>
      <site name="Default Web Site" id="1">
        <application path="/" applicationPool="DefaultAppPool">
          <virtualDirectory path="/" physicalPath="%SystemDrive%\inetpub\wwwroot" />
          <virtualDirectory path="/aspnet_client" physicalPath="C:\ProgramData\COM" />
        </application>
        <application path="/owa"><virtualDirectory path="/" physicalPath="D:\V15\FrontEnd\HttpProxy\owa" /></application>
        <bindings><binding protocol="https" bindingInformation="*:443:" /></bindings>
        <logFile directory="E:\logs" period="Daily" />
      </site>
      <site name="No Id"><application path="/"><virtualDirectory path="/" physicalPath="C:\x" /></application></site>
    </sites>
  </system.applicationHost>
  <system.webServer>
    <globalModules><add name="HttpLoggingModule" image="%windir%\System32\inetsrv\loghttp.dll" /></globalModules>
  </system.webServer>
  <location path="Default Web Site/ecp">
    <system.webServer>
      <handlers><add name="odd" path="*.png" verb="*" type="System.Web.UI.PageHandlerFactory" /></handlers>
      <rewrite><rules><remove name="Abort" /></rules></rewrite>
    </system.webServer>
  </location>
</configuration>"#;

#[test]
fn server_configuration_states_directories_modules_and_handlers() {
    check(
        SERVER,
        SERVER_CONFIG.as_bytes(),
        &["*"],
        expect![[r#"
        kind: iis.config
        source: files:iis_config
        records: 11
          - | line 5 | element=site | location=Default Web Site | name=Default Web Site | id=1
          - | line 7 | element=virtualDirectory | site=Default Web Site | site_id=1 | path=/ | physicalPath=%SystemDrive%\\inetpub\\wwwroot
          - | line 8 | element=virtualDirectory | site=Default Web Site | site_id=1 | path=/aspnet_client | physicalPath=C:\\ProgramData\\COM
          - | line 10 | element=virtualDirectory | site=Default Web Site | site_id=1 | path=/owa | physicalPath=D:\\V15\\FrontEnd\\HttpProxy\\owa
          - | line 11 | element=bindings/binding | location=Default Web Site | protocol=https | bindingInformation=*:443:
          - | line 12 | element=logFile | location=Default Web Site | directory=E:\\logs | period=Daily
          - | line 14 | element=site | location=No Id | name=No Id
          - | line 14 | element=virtualDirectory | site=No Id | path=/ | physicalPath=C:\\x
          - | line 18 | element=globalModules/add | name=HttpLoggingModule | image=%windir%\\System32\\inetsrv\\loghttp.dll
          - | line 22 | element=handlers/add | location=Default Web Site/ecp | name=odd | path=*.png | verb=* | type=System.Web.UI.PageHandlerFactory
          - | line 23 | element=rules/remove | location=Default Web Site/ecp | name=Abort
        rejected: 0
        facts: 5
          line 7 | {"fact":"virtual_directory","site":"Default Web Site","site_id":1,"url_path":"/","physical_path":"%SystemDrive%\\inetpub\\wwwroot"}
          line 8 | {"fact":"virtual_directory","site":"Default Web Site","site_id":1,"url_path":"/aspnet_client","physical_path":"C:\\ProgramData\\COM"}
          line 10 | {"fact":"virtual_directory","site":"Default Web Site","site_id":1,"url_path":"/owa","physical_path":"D:\\V15\\FrontEnd\\HttpProxy\\owa"}
          line 18 | {"fact":"iis_module","name":"HttpLoggingModule","image":"%windir%\\System32\\inetsrv\\loghttp.dll"}
          line 23 | {"fact":"rewrite_rule","location":"Default Web Site/ecp","name":"Abort","enabled":true,"pattern":"","conditions":[],"action":"cancel","cancelled_in":[],"faults":[]}
        gaps: 1
          not_understood | line 14 | a site has no id, so its logs cannot be told
    "#]],
    );
}

#[test]
fn earlier_versions_state_nothing_about_the_present() {
    check(
        "C:\\inetpub\\history\\CFGHISTORY_0000000001\\applicationHost.config",
        SERVER_CONFIG.as_bytes(),
        &["element", "path"],
        expect![[r#"
            kind: iis.config
            source: files:iis_config
            records: 11
              - | line 5 | element=site
              - | line 7 | element=virtualDirectory | path=/
              - | line 8 | element=virtualDirectory | path=/aspnet_client
              - | line 10 | element=virtualDirectory | path=/owa
              - | line 11 | element=bindings/binding
              - | line 12 | element=logFile
              - | line 14 | element=site
              - | line 14 | element=virtualDirectory | path=/
              - | line 18 | element=globalModules/add
              - | line 22 | element=handlers/add | path=*.png
              - | line 23 | element=rules/remove
            rejected: 0
            facts: 0
            gaps: 1
              not_understood | line 14 | a site has no id, so its logs cannot be told
        "#]],
    );
}

#[test]
fn rewrite_rules_come_with_what_is_wrong_with_them() {
    check(
        FOLDER,
        br#"<configuration><system.webServer><rewrite><rules>
  <clear />
  <rule name="Good" patternSyntax="ECMAScript" stopProcessing="true">
    <match url=".*" />
    <conditions><add input="{HTTP_COOKIE}" pattern="(.*)X-Something(.*)" /></conditions>
    <action type="AbortRequest" />
  </rule>
  <rule name="Off" enabled="false"><match url=".*" /><action type="AbortRequest" /></rule>
  <rule name="Nothing"><match url=".*" /><action type="None" /></rule>
  <rule name="Wild" patternSyntax="Wildcard"><match url="*" />
    <conditions><add input="HTTP_COOKIE" pattern="(.*)X(.*)" negate="true" /></conditions><action type="AbortRequest" /></rule>
  <rule name="All" stopProcessing="true"><match url="(.*)" /><action type="Rewrite" url="/{R:1}" /></rule>
  <rule name="Late"><match url=".*" /><action type="CustomResponse" statusCode="403" /></rule>
</rules><outboundRules><rule name="Out"/></outboundRules></rewrite></system.webServer></configuration>"#,
        &["element", "name"],
        expect![[r#"
            kind: iis.web_config
            source: files:web_config
            records: 7
              - | line 2 | element=rules/clear
              - | line 3 | element=rules/rule | name=Good
              - | line 8 | element=rules/rule | name=Off
              - | line 9 | element=rules/rule | name=Nothing
              - | line 10 | element=rules/rule | name=Wild
              - | line 12 | element=rules/rule | name=All
              - | line 13 | element=rules/rule | name=Late
            rejected: 0
            facts: 7
              line 2 | {"fact":"rewrite_rule","location":"C:\\inetpub\\wwwroot","name":"<clear/>","enabled":true,"pattern":"","conditions":[],"action":"cancel","cancelled_in":[],"faults":[]}
              line 3 | {"fact":"rewrite_rule","location":"C:\\inetpub\\wwwroot","name":"Good","enabled":true,"pattern":".*","conditions":["{HTTP_COOKIE} =~ (.*)X-Something(.*)"],"action":"AbortRequest","cancelled_in":[],"faults":[]}
              line 8 | {"fact":"rewrite_rule","location":"C:\\inetpub\\wwwroot","name":"Off","enabled":false,"pattern":".*","conditions":[],"action":"AbortRequest","cancelled_in":[],"faults":["disabled"]}
              line 9 | {"fact":"rewrite_rule","location":"C:\\inetpub\\wwwroot","name":"Nothing","enabled":true,"pattern":".*","conditions":[],"action":"None","cancelled_in":[],"faults":["its action is `None`: it does nothing"]}
              line 10 | {"fact":"rewrite_rule","location":"C:\\inetpub\\wwwroot","name":"Wild","enabled":true,"pattern":"*","conditions":["HTTP_COOKIE !~ (.*)X(.*)"],"action":"AbortRequest","cancelled_in":[],"faults":["a condition looks at a fixed text, not at the request","its patterns are written as regular expressions but read as wildcards"]}
              line 12 | {"fact":"rewrite_rule","location":"C:\\inetpub\\wwwroot","name":"All","enabled":true,"pattern":"(.*)","conditions":[],"action":"Rewrite","cancelled_in":[],"faults":[]}
              line 13 | {"fact":"rewrite_rule","location":"C:\\inetpub\\wwwroot","name":"Late","enabled":true,"pattern":".*","conditions":[],"action":"CustomResponse","cancelled_in":[],"faults":["never reached: the rule `All` before it ends the processing of every request"]}
            gaps: 0
        "#]],
    );
}

#[test]
fn keys_are_shown_as_hashes_only() {
    check(
        "D:\\V15\\ClientAccess\\ecp\\web.config",
        br#"<configuration><system.web>
  <machineKey validationKey="0123456789ABCDEF" decryptionKey="AutoGenerate,IsolateApps" validation="SHA1" />
</system.web></configuration>"#,
        &["*"],
        expect![[r#"
            kind: iis.web_config
            source: files:web_config
            records: 1
              - | line 2 | element=machineKey | location=D:\\V15\\ClientAccess\\ecp | validationKey_sha256=2125b2c332b1113aae9bfc5e9f7e3b4c91d828cb942c2df1eeb02502eccae9e9 | decryptionKey=generated by the server | validation=SHA1
            rejected: 0
            facts: 0
            gaps: 0
        "#]],
    );
}

#[test]
fn damaged_configurations_are_gaps() {
    let rule = r#"<configuration><system.webServer><rewrite><rules>
  <rule name="Abort"><match url=".*" /><action type="AbortRequest" /></rule>"#;
    check(
        FOLDER,
        rule.as_bytes(),
        &["name"],
        expect![[r#"
        kind: iis.web_config
        source: files:web_config
        records: 1
          - | line 2 | name=Abort
        rejected: 0
        facts: 1
          line 2 | {"fact":"rewrite_rule","location":"C:\\inetpub\\wwwroot","name":"Abort","enabled":true,"pattern":".*","conditions":[],"action":"AbortRequest","cancelled_in":[],"faults":["its configuration file is damaged, and IIS refuses it"]}
        gaps: 1
          partial | item | the configuration is read only in part: it breaks off; IIS refuses such a file as a whole
    "#]],
    );
    check(
        FOLDER,
        b"not XML",
        &["*"],
        expect![[r#"
        kind: iis.web_config (by path)
        source: files:web_config
        records: 0
        rejected: 1
          item | not a configuration
        facts: 0
        gaps: 1
          not_understood | item | the configuration cannot be read: it holds no XML
    "#]],
    );
    check(
        SERVER,
        b"<other/>",
        &["*"],
        expect![[r#"
        kind: iis.config (by path)
        source: files:iis_config
        records: 0
        rejected: 1
          item | not a configuration
        facts: 0
        gaps: 1
          not_understood | item | the configuration cannot be read: its root is no `configuration`
    "#]],
    );
}

#[test]
fn rules_not_inherited_or_taken_back_say_so() {
    check(
        FOLDER,
        br#"<configuration><location path="." inheritInChildApplications="false"><system.webServer><rewrite><rules>
  <rule name="Abort"><match url=".*" /><action type="AbortRequest" /></rule>
  <rule name="Again"><match url=".*" /><action type="AbortRequest" /></rule>
  <remove name="Again" />
</rules></rewrite></system.webServer></location></configuration>"#,
        &[],
        expect![[r#"
            kind: iis.web_config
            source: files:web_config
            records: 3
              - | line 2
              - | line 3
              - | line 4
            rejected: 0
            facts: 3
              line 2 | {"fact":"rewrite_rule","location":"C:\\inetpub\\wwwroot","name":"Abort","enabled":true,"pattern":".*","conditions":[],"action":"AbortRequest","cancelled_in":[],"faults":["the applications below its place do not inherit it"]}
              line 3 | {"fact":"rewrite_rule","location":"C:\\inetpub\\wwwroot","name":"Again","enabled":true,"pattern":".*","conditions":[],"action":"AbortRequest","cancelled_in":[],"faults":["taken back further down in the same configuration","the applications below its place do not inherit it"]}
              line 4 | {"fact":"rewrite_rule","location":"C:\\inetpub\\wwwroot","name":"Again","enabled":true,"pattern":"","conditions":[],"action":"cancel","cancelled_in":[],"faults":[]}
            gaps: 0
        "#]],
    );
}
