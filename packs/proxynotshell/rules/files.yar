// Files of the campaign, by structure and in our own words. Texts that an antivirus would take for the shell itself
// are written as hexadecimal digits. What follows the data of a request through a page whatever its names is an analysis of
// Allclear's own and needs no rule here.

rule page_that_loads_a_library_from_the_request
{
    meta:
        description = "Page that decodes what the client sends and loads it as a library (SharPyShell and its like)"
        author = "Allclear"
        reference = "https://github.com/antonioCoco/SharPyShell"
        level = "critical"
        techniques = "T1505.003,T1620"
        allclear_stage = "foothold"
        allclear_step = "shell_written"
        allclear_meaning = "The page loads what the client sends as a library and runs it in memory, as the shell errorEE.aspx of this campaign."
        allclear_foothold = "web_shell"
    strings:
        $page = { 3C 25 40 [0-8] 50 61 67 65 }
        $handler = { 3C 25 40 [0-8] 57 65 62 48 61 6E 64 6C 65 72 }
        $script = { 3C 73 63 72 69 70 74 [1-120] 72 75 6E 61 74 }
        $loads = /Assembly[^;]{0,80}[.\]"]\s*\)?\s*\.?\s*Load\s*["(]/ nocase
        $request = /Request(\s*\.\s*(Form|QueryString|Headers|Cookies|Item|BinaryRead|InputStream))?\s*[\[(.]/ nocase
        $decodes = "FromBase64String" nocase
        $deciphers = /(CreateDecryptor|RijndaelManaged|AesManaged|\^=?\s*(\(byte\)\s*)?[\w.]{1,40}\s*\[)/ nocase
        $invokes = /(CreateInstance|GetMethod|\.Invoke|InvokeMember|\.Equals)\s*\(/ nocase
    condition:
        filesize < 256KB and ($page or $handler or $script) and $loads and $request and $invokes and ($decodes or $deciphers)
}

rule handler_that_runs_or_stores_what_it_is_sent
{
    meta:
        description = "Request handler that starts a program or writes a file as the client says"
        author = "Allclear"
        reference = "https://gteltsc.vn/blog/warning-new-attack-campaign-utilized-a-new-0day-rce-vulnerability-on-microsoft-exchange-server-12715.html"
        level = "critical"
        techniques = "T1505.003,T1059"
        allclear_stage = "foothold"
        allclear_step = "shell_written"
        allclear_meaning = "The handler starts programs or writes files as the client says, and Exchange ships no such handler."
        allclear_foothold = "web_shell"
    strings:
        $handler = { 3C 25 40 [0-8] 57 65 62 48 61 6E 64 6C 65 72 }
        $entry = "ProcessRequest" nocase
        $request = /Request(\s*\.\s*(Form|QueryString|Headers|Item|Files|Params))?\s*[\[(]/ nocase
        $process = /(ProcessStartInfo|Process\s*\.\s*Start\s*\(|new\s+Process\b)/ nocase
        $writes = /(File\s*\.\s*(WriteAll|Create|OpenWrite|AppendAll)|new\s+StreamWriter|new\s+FileStream|\.\s*SaveAs\s*\()/ nocase
        $evaluates = /\x65\x76al\s*\(/ nocase
    condition:
        filesize < 64KB and $handler and $entry and $request and ($process or $writes or $evaluates)
}

rule script_of_the_request_evaluated
{
    meta:
        description = "Short page that evaluates what the client sends"
        author = "Allclear"
        reference = "https://gteltsc.vn/blog/warning-new-attack-campaign-utilized-a-new-0day-rce-vulnerability-on-microsoft-exchange-server-12715.html"
        level = "critical"
        techniques = "T1505.003"
        allclear_stage = "foothold"
        allclear_step = "shell_written"
        allclear_meaning = "The page evaluates text from the request as script: whoever knows the parameter's name commands the server."
        allclear_foothold = "web_shell"
    strings:
        $server_script = { 3C 73 63 72 69 70 74 [1-120] 72 75 6E 61 74 }
        $page = { 3C 25 40 [0-8] 50 61 67 65 }
        $percent = { 3C 25 }
        $evaluates = /\x65\x76al\s*\(\s*[\w.]{0,40}request(\.(item|form|querystring|headers|cookies))?\s*[\[(]/ nocase
        $variable = /=\s*request(\.(item|form|querystring|headers|cookies))?\s*[\[(][^;]{1,80};[^;]{0,200}\x65\x76al\s*\(/ nocase
    condition:
        filesize < 64KB and ($server_script or $page or $percent) and ($evaluates or $variable)
}

rule library_that_listens_beside_the_web_server
{
    meta:
        description = "Library that takes requests below addresses of Exchange without the web server"
        author = "Allclear"
        reference = "https://gteltsc.vn/blog/warning-new-attack-campaign-utilized-a-new-0day-rce-vulnerability-on-microsoft-exchange-server-12715.html"
        level = "critical"
        techniques = "T1505.004,T1620"
        allclear_stage = "foothold"
        allclear_step = "tool_brought"
        allclear_meaning = "The library listens at an address of the mail server, beside the web server and out of its logs, and runs what it is sent; the intruders of August 2022 loaded it into memory."
        allclear_foothold = "tool"
    strings:
        $mark = "RPDbgEsJF9o8S=" ascii wide
        $listener = "HttpListener" ascii wide
        $prefix = /https?:\/\/(\*|\+):(80|443|444)\/(ews|owa|ecp|autodiscover|mapi|oab|rpc|api)\// ascii wide nocase
        $adds = "get_Prefixes"
    condition:
        uint16(0) == 0x5A4D and filesize < 4MB and ($mark or ($listener and $prefix and $adds))
}

rule compiled_page_that_loads_a_library
{
    meta:
        description = "Compiled page that loads a library from the request"
        author = "Allclear"
        reference = "https://github.com/antonioCoco/SharPyShell"
        level = "critical"
        techniques = "T1505.003,T1620"
        allclear_stage = "foothold"
        allclear_step = "page_compiled"
        allclear_meaning = "The page was compiled, so it was there and was asked for; it loads what the client sends as a library."
        allclear_foothold = "compiled_shell"
    strings:
        $page = "FrameworkInitialize"
        $request = "get_Request"
        $assembly = "System.Reflection"
        $load = /\x00Load\x00/
        $instance = /\x00(CreateInstance|GetMethod|InvokeMember|Invoke)\x00/
        $decodes = /\x00(FromBase64String|CreateDecryptor|TransformFinalBlock)\x00/
    condition:
        uint16(0) == 0x5A4D and filesize < 1MB and all of them
}

rule note_of_the_ransomware_play
{
    meta:
        description = "Note that the ransomware Play leaves"
        author = "Allclear"
        reference = "https://attack.mitre.org/techniques/T1486/"
        level = "high"
        techniques = "T1486"
        allclear_stage = "impact"
        allclear_step = "impact"
        allclear_meaning = "The ransomware Play left its note: files of the server were encrypted."
    strings:
        $name = /^\s{0,8}PLAY\s/
        $portal = "news portal" nocase
        $onion = ".onion"
        $mail = /@gmx\.(de|com|net)/ nocase
    condition:
        filesize < 4KB and $name and (($portal and $onion) or ($mail and ($portal or $onion)))
}

rule page_that_drives_an_object_of_windows_from_the_request
{
    meta:
        description = "Page that makes an object of Windows by name and has it run what the client sends"
        author = "Allclear"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        level = "critical"
        techniques = "T1505.003,T1559.001"
        allclear_stage = "foothold"
        allclear_step = "shell_written"
        allclear_meaning = "The page has Windows run what the client sends, through an object that scripts use for that; Exchange ships no such page."
        allclear_foothold = "web_shell"
    strings:
        $page = { 3C 25 40 [0-8] 50 61 67 65 }
        $script = { 3C 73 63 72 69 70 74 [1-120] 72 75 6E 61 74 }
        $made = /(GetTypeFromProgID|CreateObject)\s*\(\s*"/ nocase
        // Names of the objects, so that this file is not taken for a shell itself.
        $shell = { 57 53 63 72 69 70 74 2E 53 68 65 6C 6C }
        $explorer = { 53 68 65 6C 6C 2E 41 70 70 6C 69 63 61 74 69 6F 6E }
        $runs = /\.\s*(Exec|Run|ShellExecute)\s*\(\s*[\w.]{0,40}Request(\s*\.\s*(Form|QueryString|Headers|Cookies|Item))?\s*[\[(]/ nocase
    condition:
        filesize < 64KB and ($page or $script) and $made and ($shell or $explorer) and $runs
}
