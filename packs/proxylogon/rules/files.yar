// Files of the campaign, by structure and in our own words. Texts that an antivirus would take for the shell itself
// are written as hexadecimal digits.

rule oab_settings_with_script
{
    meta:
        description = "Settings of the offline address book with a server script among them"
        author = "Allclear"
        reference = "https://github.com/helsecert/2021-march-exchange"
        level = "critical"
        techniques = "T1505.003"
        allclear_stage = "foothold"
        allclear_step = "shell_written"
        allclear_meaning = "The file is what the reset of the offline address book's virtual directory writes, with a server script in its external address: the campaign's own web shell."
        allclear_foothold = "web_shell"
    strings:
        $external = /ExternalUrl\s{0,64}:\s{0,8}[^\r\n]{0,200}(<script|<%|runat\s?=)/ nocase ascii wide
        $metabase = "MetabasePath" ascii wide
        $version = "AdminDisplayVersion" ascii wide
        $polling = "PollInterval" ascii wide
        $methods = "InternalAuthenticationMethods" ascii wide
    condition:
        $external and 2 of ($metabase, $version, $polling, $methods)
}

rule request_evaluated_as_jscript
{
    meta:
        description = "Short page that evaluates what the client sends"
        author = "Allclear"
        reference = "https://www.microsoft.com/security/blog/2021/03/02/hafnium-targeting-exchange-servers/"
        level = "critical"
        techniques = "T1505.003"
        allclear_stage = "foothold"
        allclear_step = "shell_written"
        allclear_meaning = "The page evaluates text from the request as script: whoever knows the parameter's name commands the server."
        allclear_foothold = "web_shell"
    strings:
        // A tag that makes script run on the server.
        $server_script = { 3C 73 63 72 69 70 74 [1-120] 72 75 6E 61 74 }
        $page = { 3C 25 40 [0-8] 50 61 67 65 }
        $percent = { 3C 25 }
        // The call, with the request's fields as its first argument or put into a variable before.
        $evaluates = /\x65\x76al\s*\(\s*[\w.]{0,40}request(\.(item|form|querystring|headers|cookies))?\s*[\[(]/ nocase
        $variable = /=\s*request(\.(item|form|querystring|headers|cookies))?\s*[\[(][^;]{1,80};[^;]{0,200}\x65\x76al\s*\(/ nocase
    condition:
        // Scripts in exported mailboxes and certificate requests are of the campaign of August 2021.
        filesize < 64KB and uint32be(0) != 0x2142444E and uint8(0) != 0x30
        and ($server_script or $page or $percent) and ($evaluates or $variable)
}

rule uploaded_file_saved_by_short_page
{
    meta:
        description = "Page of a few lines that stores whatever file is sent to it (SIMPLESEESHARP)"
        author = "Allclear"
        reference = "https://www.volexity.com/blog/2021/03/02/active-exploitation-of-microsoft-exchange-zero-day-vulnerabilities/"
        level = "critical"
        techniques = "T1505.003,T1105"
        allclear_stage = "foothold"
        allclear_step = "shell_written"
        allclear_meaning = "The page stores any file that is sent to it, and nothing else: the first shell, by which others are brought."
        allclear_foothold = "web_shell"
    strings:
        $page = { 3C 25 40 [0-8] 50 61 67 65 }
        $posted = "HttpPostedFile" nocase
        $first = /Request\s*\.\s*Files\s*\[/ nocase
        $saved = /\.\s*SaveAs\s*\(/ nocase
    condition:
        filesize < 2KB and $page and $first and $saved and $posted
}

rule form_values_fed_to_a_shell
{
    meta:
        description = "Page that feeds form values to a command interpreter and keeps its secret in a cookie (SPORTSBALL)"
        author = "Allclear"
        reference = "https://www.volexity.com/blog/2021/03/02/active-exploitation-of-microsoft-exchange-zero-day-vulnerabilities/"
        level = "critical"
        techniques = "T1505.003,T1059"
        allclear_stage = "foothold"
        allclear_step = "shell_written"
        allclear_meaning = "The page writes what the client sends to a command interpreter and takes files: a full web shell."
        allclear_foothold = "web_shell"
    strings:
        $page = { 3C 25 40 [0-8] 50 61 67 65 }
        $process = /new\s+(System\.Diagnostics\.)?Process(StartInfo)?\b/ nocase
        $input = /StandardInput\s*\.\s*Write(Line)?\s*\(\s*[\w.]{0,40}Request\s*\.\s*Form\s*\[/ nocase
        $cookie = /new\s+HttpCookie\s*\(\s*"[^"]{1,40}"\s*,\s*[\w.]{0,40}Request\s*\.\s*Form/ nocase
        $saved = /\.\s*SaveAs\s*\(/ nocase
    condition:
        filesize < 128KB and $page and $process and ($input or ($cookie and $saved))
}

rule socket_tunnel_in_page
{
    meta:
        description = "Page that relays requests into a socket (reGeorg and its like)"
        author = "Allclear"
        reference = "https://www.volexity.com/blog/2021/03/02/active-exploitation-of-microsoft-exchange-zero-day-vulnerabilities/"
        level = "critical"
        techniques = "T1505.003,T1090"
        allclear_stage = "foothold"
        allclear_step = "shell_written"
        allclear_meaning = "The page relays what the client sends into the inner network."
        allclear_foothold = "web_shell"
    strings:
        $page = { 3C 25 40 [0-8] 50 61 67 65 }
        $socket = /new\s+(System\.Net\.Sockets\.)?Socket\s*\(/ nocase
        $target = /Request\s*\.\s*(Headers\s*\.\s*Get|QueryString\s*\.\s*Get|Headers|QueryString)\s*[\[(]/ nocase
        $kept = /Session\s*(\.\s*Add\s*\(|\[\s*"[^"]{1,40}"\s*\]\s*=)/ nocase
        $relayed = /\.\s*(Send|Receive)\s*\(/ nocase
    condition:
        filesize < 256KB and $page and all of ($socket, $target, $kept, $relayed)
}

rule compiled_page_that_evaluates
{
    meta:
        description = "Compiled page that evaluates script from the request"
        author = "Allclear"
        reference = "https://github.com/Neo23x0/signature-base"
        level = "critical"
        techniques = "T1505.003"
        allclear_stage = "foothold"
        allclear_step = "page_compiled"
        allclear_meaning = "The page was compiled, so it was there and was asked for; it evaluates script from the request."
        allclear_foothold = "compiled_shell"
    strings:
        // Names in the metadata of a page that was compiled from JScript and calls the evaluator.
        $evaluator = { 4A 53 63 72 69 70 74 45 76 61 6C 75 61 74 65 }
        $request = "get_Request"
        $page = "FrameworkInitialize"
        $item = "get_Item"
        $form = "get_Form"
    condition:
        uint16(0) == 0x5A4D and filesize < 1MB and $evaluator and $page and $request and ($item or $form)
}
