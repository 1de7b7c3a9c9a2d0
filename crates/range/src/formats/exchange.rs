//! Text logs of Exchange 2013 to 2019: a head of `#` lines, then comma-separated rows.
//!
//! Column names and the way rows look are taken from the samples on <https://artefacts.help/windows_microsoft_exchange.html>
//! and, for entries of an attack, from the logs of a victim
//! (<https://github.com/helsecert/2021-march-exchange>).

use super::Guid;
use crate::moment::Moment;
use std::fmt::Write;

/// Columns of the HttpProxy logs.
pub const HTTP_PROXY_FIELDS: &str = "DateTime,RequestId,MajorVersion,MinorVersion,BuildVersion,RevisionVersion,ClientRequestId,Protocol,UrlHost,UrlStem,ProtocolAction,AuthenticationType,IsAuthenticated,AuthenticatedUser,Organization,AnchorMailbox,UserAgent,ClientIpAddress,ServerHostName,HttpStatus,BackEndStatus,ErrorCode,Method,ProxyAction,TargetServer,TargetServerVersion,RoutingType,RoutingHint,BackEndCookie,ServerLocatorHost,ServerLocatorLatency,RequestBytes,ResponseBytes,TargetOutstandingRequests,AuthModulePerfContext,HttpPipelineLatency,CalculateTargetBackEndLatency,GlsLatencyBreakup,TotalGlsLatency,AccountForestLatencyBreakup,TotalAccountForestLatency,ResourceForestLatencyBreakup,TotalResourceForestLatency,ADLatency,SharedCacheLatencyBreakup,TotalSharedCacheLatency,ActivityContextLifeTime,ModuleToHandlerSwitchingLatency,ClientReqStreamLatency,BackendReqInitLatency,BackendReqStreamLatency,BackendProcessingLatency,BackendRespInitLatency,BackendRespStreamLatency,ClientRespStreamLatency,KerberosAuthHeaderLatency,HandlerCompletionLatency,RequestHandlerLatency,HandlerToModuleSwitchingLatency,ProxyTime,CoreLatency,RoutingLatency,HttpProxyOverhead,TotalRequestTime,RouteRefresherLatency,UrlQuery,BackEndGenericInfo,GenericInfo,GenericErrors,EdgeTraceId,DatabaseGuid,UserADObjectGuid,PartitionEndpointLookupLatency,RoutingStatus";

/// Columns of the ECP Server and ECP Activity logs.
pub const ECP_FIELDS: &str = "TimeStamp,ServerName,EventId,EventData";

/// Columns of the OAB generator log.
pub const OAB_FIELDS: &str = "Timestamp,RecordType,TraceId,OabGuid,AddressListGuid,Message";

/// Columns of the EWS log.
pub const EWS_FIELDS: &str = "DateTime,RequestId,MajorVersion,MinorVersion,BuildVersion,RevisionVersion,Ring,ClientRequestId,AuthenticationType,IsAuthenticated,AuthenticatedUser,Organization,UserAgent,VersionInfo,ClientIpAddress,ServerHostName,FrontEndServer,SoapAction,HttpStatus,RequestSize,ResponseSize,ErrorCode,ImpersonatedUser,ProxyAsUser,ActAsUser,Cookie,CorrelationGuid,PrimaryOrProxyServer,TaskType,RemoteBackendCount,LocalMailboxCount,RemoteMailboxCount,LocalIdCount,RemoteIdCount,BeginBudgetConnections,EndBudgetConnections,BeginBudgetHangingConnections,EndBudgetHangingConnections,BeginBudgetAD,EndBudgetAD,BeginBudgetCAS,EndBudgetCAS,BeginBudgetRPC,EndBudgetRPC,BeginBudgetFindCount,EndBudgetFindCount,BeginBudgetSubscriptions,EndBudgetSubscriptions,MDBResource,MDBHealth,MDBHistoricalLoad,ThrottlingPolicy,ThrottlingDelay,ThrottlingRequestType,TotalDCRequestCount,TotalDCRequestLatency,TotalMBXRequestCount,TotalMBXRequestLatency,RecipientLookupLatency,ExchangePrincipalLatency,HttpPipelineLatency,CheckAccessCoreLatency,AuthModuleLatency,CallContextInitLatency,PreExecutionLatency,CoreExecutionLatency,TotalRequestTime,DetailedExchangePrincipalLatency,ClientStatistics,GenericInfo,AuthenticationErrors,GenericErrors,Puid,StartTime,ProcessId,TimeInGC,StartTotalMemory,EndTotalMemory,StartGCCounts,EndGCCounts,TokenBasedThrottlingPolicy,BudgetKey,CoinsCharged,CoinsChargedMethod,SidBudgetInfo,AppBudgetInfo,TenantBudgetInfo,ResourceAccessed,ResourceHealthBasedThreshold,ThrottledBy,BackoffHint,WorkClassification";

/// Columns of the Autodiscover log: those that all logs of this family share, as no public sample shows it whole.
pub const AUTODISCOVER_FIELDS: &str = "DateTime,RequestId,MajorVersion,MinorVersion,BuildVersion,RevisionVersion,ClientRequestId,AuthenticationType,IsAuthenticated,AuthenticatedUser,Organization,UserAgent,ClientIpAddress,ServerHostName,FrontEndServer,SoapAction,HttpStatus,ErrorCode,EmailAddress,TotalRequestTime,GenericInfo,GenericErrors";

/// Columns of the log of remote PowerShell cmdlets.
pub const CMDLET_FIELDS: &str = "DateTime,StartTime,RequestId,ClientRequestId,MajorVersion,MinorVersion,BuildVersion,RevisionVersion,ServerHostName,ProcessId,ProcessName,ThreadId,CultureInfo,Organization,AuthenticatedUser,ExecutingUserSid,EffectiveOrganization,UserServicePlan,IsAdmin,ClientApplication,Cmdlet,Parameters,CmdletUniqueId,UserBudgetOnStart,ContributeToFailFast,RunspaceSettingsCreationHint,ADViewEntireForest,ADRecipientViewRoot,ADConfigurationDomainControllers,ADPreferredGlobalCatalogs,ADPreferredDomainControllers,ADUserConfigurationDomainController,ADUserPreferredGlobalCatalog,ADuserPreferredDomainControllers,ThrottlingInfo,DelayInfo,ThrottlingDelay,IsOutputObjectRedacted,CmdletProxyStage,CmdletProxyRemoteServer,CmdletProxyRemoteServerVersion,CmdletProxyMethod,ProxiedObjectCount,CmdletProxyLatency,OutputObjectCount,ParameterBinding,BeginProcessing,ProcessRecord,EndProcessing,StopProcessing,BizLogic,PowerShellLatency,UserInteractionLatency,ProvisioningLayerLatency,ActivityContextLifeTime,TotalTime,ErrorType,ExecutionResult,CacheHitCount,CacheMissCount,GenericLatency,GenericInfo,GenericErrors,ObjectGuid,ExternalDirectoryOrganizationId,ExternalDirectoryObjectId,NonPiiParameters";

/// The `#` lines above the rows of a log, with the byte order mark that Exchange writes.
pub fn head(version: &str, log_type: &str, begun: &str, fields: &str) -> String {
    format!(
        "\u{feff}#Software: Microsoft Exchange Server\r\n#Version: {version}\r\n#Log-type: {log_type}\r\n#Date: {begun}\r\n#Fields: {fields}\r\n"
    )
}

/// A value as a cell: in quotes, with quotes doubled, where it holds a comma, a quote or a line break.
pub fn cell(value: &str) -> String {
    if value.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

/// A row that gives some columns of `fields` values and leaves the others empty.
pub fn row(fields: &str, values: &[(&str, &str)]) -> String {
    let cells = fields.split(',').map(|field| {
        values
            .iter()
            .find(|(name, _)| *name == field)
            .map_or(String::new(), |(_, value)| cell(value))
    });
    let mut row = cells.collect::<Vec<_>>().join(",");
    row.push_str("\r\n");
    row
}

/// One request as the front-end proxy logs it.
#[derive(Clone, Debug)]
pub(crate) struct HttpProxyRow<'a> {
    pub(crate) time: Moment,
    pub(crate) id: Guid,
    pub(crate) version: [u16; 4],
    pub(crate) protocol: &'a str,
    pub(crate) url_host: &'a str,
    pub(crate) url_stem: &'a str,
    pub(crate) url_query: &'a str,
    pub(crate) authentication: &'a str,
    /// Empty where the request was anonymous.
    pub(crate) user: &'a str,
    pub(crate) anchor: &'a str,
    pub(crate) routing_hint: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) client: &'a str,
    pub(crate) server: &'a str,
    pub(crate) status: u16,
    /// The back end's status; nothing where the front end answered by itself.
    pub(crate) backend_status: Option<u16>,
    pub(crate) error: &'a str,
    pub(crate) method: &'a str,
    /// Where the request was sent; nothing where the front end answered by itself.
    pub(crate) target: Option<&'a str>,
    pub(crate) request_bytes: u32,
    pub(crate) response_bytes: u32,
    pub(crate) duration_ms: u32,
    pub(crate) database: Option<Guid>,
}

impl HttpProxyRow<'_> {
    /// Appends the row and its line break to `out`.
    pub(crate) fn write(&self, out: &mut String) {
        let [major, minor, build, revision] = self.version;
        let authenticated = if self.user.is_empty() {
            "false"
        } else {
            "true"
        };
        // The logger itself replaces commas in agents by spaces.
        let agent = self.user_agent.replace(',', " ");
        let begin = self.time.after(-i64::from(self.duration_ms));
        let text = |value: Option<u16>| value.map_or(String::new(), |value| value.to_string());
        write!(
            out,
            "{},{},{major},{minor},{build},{revision},,{},{},{},,{},{authenticated},{},,{},{},{},{},{},{},{},{}",
            self.time,
            self.id,
            self.protocol,
            self.url_host,
            cell(self.url_stem),
            self.authentication,
            cell(self.user),
            cell(self.anchor),
            cell(&agent),
            self.client,
            self.server,
            self.status,
            text(self.backend_status),
            self.error,
            self.method,
        )
        .expect("writing to a string succeeds");
        let query = cell(self.url_query);
        let database = self
            .database
            .map_or(String::new(), |guid| format!("|RoutingDB:{guid}"));
        let total = self.duration_ms;
        let result = if let Some(target) = self.target {
            let backend = total.saturating_sub(2);
            write!(
                out,
                ",Proxy,{},{major:02}.{minor:02}.{build:04}.000,IntraForest,{},,,,{},{},,,0,0,,0,,0,,0,0,,0,{total},0,0,0,0,{backend},0,0,0,0,0,{total},0,{backend},1,1,2,{total},,{query},,BeginRequest={begin};CorrelationID=<empty>;ProxyState-Run=None;ProxyState-Complete=ProxyResponseData;EndRequest={};,{},,{database},,,CafeV1\r\n",
                cell(target),
                self.routing_hint,
                self.request_bytes,
                self.response_bytes,
                self.time,
                self.error,
            )
        } else {
            write!(
                out,
                ",,,,,{},,,,{},,,,,,,,,,,,,,,0,,,,,,,,,,,,,,0,,0,{total},,{query},,BeginRequest={begin};CorrelationID=<empty>;SharedCacheGuard=0;EndRequest={};,{},,,,,\r\n",
                self.routing_hint, self.request_bytes, self.time, self.error,
            )
        };
        result.expect("writing to a string succeeds");
    }
}

/// One command as the control panel logs it.
#[derive(Clone, Debug)]
pub(crate) struct EcpEntry {
    pub(crate) time: Moment,
    pub(crate) command: String,
    pub(crate) url: String,
    pub(crate) error: String,
    pub(crate) duration_ms: u32,
    pub(crate) activity: Guid,
    pub(crate) session: Guid,
}

impl EcpEntry {
    pub(crate) fn write(&self, server: &str, build: &str, out: &mut String) {
        let data = format!(
            "S:TIME={};S:SID={};{};S:REQID=;S:URL={};S:REFERRER=;{};S:ACTID={};S:RS=0;S:BLD={build};S:TNAME=<null>;S:TID=;S:USID={};S:EDOID=;S:ACID=",
            self.duration_ms,
            self.session,
            pair("S:CMD", &self.command),
            self.url,
            pair("S:EX", &self.error),
            self.activity,
            self.session,
        );
        write!(
            out,
            "{},{server},ECP.Request,{}\r\n",
            self.time,
            cell(&data)
        )
        .expect("writing to a string succeeds");
    }
}

impl EcpEntry {
    /// The same request in the activity log, which knows the address but not the command.
    pub(crate) fn write_activity(&self, time: Moment, server: &str, build: &str, out: &mut String) {
        let data = format!(
            "S:URL=https://localhost:444{};S:Bld={build};S:ActID={};Dbl:WLM.TS={}",
            self.url, self.activity, self.duration_ms
        );
        write!(out, "{time},{server},Request,{}\r\n", cell(&data))
            .expect("writing to a string succeeds");
    }
}

/// A key and its value as Exchange puts them into a list: in single quotes, with those inside doubled, where the value
/// could be taken for something else.
fn pair(key: &str, value: &str) -> String {
    if value.contains(['\'', '"', ';', ',']) {
        format!("'{key}={}'", value.replace('\'', "''"))
    } else {
        format!("{key}={value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn row() -> HttpProxyRow<'static> {
        HttpProxyRow {
            time: Moment(1_614_754_182_162),
            id: Guid([7; 16]),
            version: [15, 1, 2_176, 2],
            protocol: "Ecp",
            url_host: "mail.example",
            url_stem: "/ecp/",
            url_query: "?a=1,2",
            authentication: "FBA",
            user: "",
            anchor: "",
            routing_hint: "",
            user_agent: "Agent (a, b)",
            client: "192.0.2.7",
            server: "MAIL01",
            status: 302,
            backend_status: None,
            error: "",
            method: "GET",
            target: None,
            request_bytes: 10,
            response_bytes: 20,
            duration_ms: 3,
            database: None,
        }
    }

    #[test]
    fn every_row_has_a_cell_for_every_column() {
        let columns = HTTP_PROXY_FIELDS.split(',').collect::<Vec<_>>();
        let proxied = HttpProxyRow {
            target: Some("mail01.example"),
            backend_status: Some(200),
            routing_hint: "X-BEResource-Cookie",
            database: Some(Guid([9; 16])),
            ..row()
        };
        for row in [row(), proxied] {
            let mut text = String::new();
            row.write(&mut text);
            // The one quoted cell holds one comma.
            let cells = text.trim_end().replace("\"?a=1,2\"", "?a=1");
            let cells = cells.split(',').collect::<Vec<_>>();
            assert_eq!(cells.len(), columns.len(), "{text}");
            let value = |name| cells[columns.iter().position(|column| *column == name).unwrap()];
            assert_eq!(value("UrlQuery"), "?a=1");
            assert_eq!(value("UserAgent"), "Agent (a  b)");
            assert_eq!(value("TotalRequestTime"), "3");
            assert!(value("GenericInfo").starts_with("BeginRequest="));
            assert_eq!(value("RoutingHint"), row.routing_hint);
            let status = if row.target.is_some() { "CafeV1" } else { "" };
            assert_eq!(value("RoutingStatus"), status);
        }
    }

    #[test]
    fn a_control_panel_entry_quotes_as_exchange_does() {
        let mut text = String::new();
        EcpEntry {
            time: Moment(1_614_754_182_162),
            command: "Set-X.Url='http://f/<b lang=\"x\">'.Identity='1'".into(),
            url: "/ecp/x".into(),
            error: String::new(),
            duration_ms: 5,
            activity: Guid([1; 16]),
            session: Guid([2; 16]),
        }
        .write("MAIL01", "15.1.2176.2", &mut text);
        expect![[r#"
            2021-03-03T06:49:42.162Z,MAIL01,ECP.Request,"S:TIME=5;S:SID=02020202-0202-0202-0202-020202020202;'S:CMD=Set-X.Url=''http://f/<b lang=""x"">''.Identity=''1''';S:REQID=;S:URL=/ecp/x;S:REFERRER=;S:EX=;S:ACTID=01010101-0101-0101-0101-010101010101;S:RS=0;S:BLD=15.1.2176.2;S:TNAME=<null>;S:TID=;S:USID=02020202-0202-0202-0202-020202020202;S:EDOID=;S:ACID="
        "#]].assert_eq(&text.replace('\r', ""));
    }
}
