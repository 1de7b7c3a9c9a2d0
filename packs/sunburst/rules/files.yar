// Files of the campaign, by structure and in our own words.

rule orion_library_with_backdoor
{
    meta:
        description = "Orion library that holds the class and the packed texts of SUNBURST"
        author = "Allclear"
        reference = "https://cloud.google.com/blog/topics/threat-intelligence/sunburst-additional-technical-details"
        level = "critical"
        techniques = "T1195.002"
        allclear_stage = "foothold"
        allclear_step = "backdoor_installed"
        allclear_meaning = "The library holds the backdoor: its class, and texts of its own that are packed so that nobody reads them."
        allclear_foothold = "tool"
    strings:
        // The class alone also stands in a test build of October 2019 that holds no backdoor.
        $class = "OrionImprovementBusinessLayer" ascii wide
        // A setting that keeps its state, and the vendor's name as a pattern, both packed by Deflate and Base64.
        $state = "C0otyC8qCU8sSc5ILQpKLSmqBAA=" ascii wide
        $vendor = "07DP1NQozs9JLCrPzEsp1gQA" ascii wide
        // The number that is combined with each hash of a name.
        $number = { 67 19 D8 A7 3B 90 AC 5B }
    condition:
        uint16(0) == 0x5A4D and $class and 1 of ($state, $vendor, $number)
}

rule loader_behind_service_name
{
    meta:
        description = "Library with the entry of a Windows service that opens a picture to hide what it decodes (TEARDROP)"
        author = "Allclear"
        reference = "https://www.cisa.gov/news-events/analysis-reports/ar21-039b"
        level = "critical"
        techniques = "T1543.003,T1036.005,T1027"
        allclear_stage = "foothold"
        allclear_step = "loader"
        allclear_meaning = "The library pretends to be a Windows service and opens a picture of the name that the loader TEARDROP looks for."
        allclear_foothold = "tool"
    strings:
        $entry = "NetSetupServiceMain" ascii
        $picture = "gracious_truth.jpg" ascii wide
    condition:
        uint16(0) == 0x5A4D and all of them
}

rule logo_page_that_compiles_requests
{
    meta:
        description = "Logo page of Orion that compiles and runs what a request brings (SUPERNOVA, of another actor)"
        author = "Allclear"
        reference = "https://www.cisa.gov/news-events/analysis-reports/ar21-027a"
        level = "critical"
        techniques = "T1505.003,T1027.004"
        allclear_stage = "foothold"
        allclear_step = "supernova"
        allclear_meaning = "The logo page compiles and runs code from the request: SUPERNOVA, a web shell of another actor than that of SUNBURST."
        allclear_foothold = "compiled_shell"
    strings:
        $page = "LogoImageHandler" ascii wide
        $method = "DynamicRun" ascii wide
        $compiler = "CSharpCodeProvider" ascii wide
        $class = "clazz" ascii wide
    condition:
        uint16(0) == 0x5A4D and $page and $method and ($compiler or $class)
}
