<#
.SYNOPSIS
Installs the relay as the Windows service ModelRelayServer, or removes it.

.DESCRIPTION
Run it in a PowerShell that was started as administrator. What is given again replaces what was installed before.
Where Windows does not let scripts run, allow it for this one window first: Set-ExecutionPolicy Bypass -Scope Process -Force

.EXAMPLE
.\install-windows-service.ps1 -WorkerSecret (Read-Host "Worker secret") -Listen 0.0.0.0:8080 -OpenFirewall

.EXAMPLE
.\install-windows-service.ps1 -Uninstall
#>
[CmdletBinding()]
param(
    # The executable: modelrelay.exe, or its copy under the old name modelrelay-server.exe. Only administrators should be able to change it.
    [string]$Executable = "$env:ProgramFiles\ModelRelay\modelrelay.exe",
    # The secret that workers show. It goes into a file that only the system and administrators may read.
    [string]$WorkerSecret = "",
    # Opens /admin/*; kept the same way.
    [string]$AdminToken = "",
    [string]$Listen = "127.0.0.1:8080",
    [string]$LogFile = "",
    # Settings besides those above, as variables of the service alone: -Variables @{ MAX_QUEUE_LEN = "200" }
    [hashtable]$Variables = @{},
    # Lets other machines reach the port.
    [switch]$OpenFirewall,
    [switch]$Uninstall
)

$ErrorActionPreference = "Stop"
$EventSource = "ModelRelayServer"
$ServiceName = $EventSource
$Command = "serve"
$DisplayName = "ModelRelay relay"
$Description = "Takes requests to language models and gives them to workers."
$DataDirectory = Join-Path $env:ProgramData "modelrelay"
$ServiceKey = "HKLM:\SYSTEM\CurrentControlSet\Services\$ServiceName"
$EventKey = "HKLM:\SYSTEM\CurrentControlSet\Services\EventLog\Application\$EventSource"
$FirewallRule = "ModelRelay relay"

function Invoke-Checked([string]$Program, [string[]]$Arguments) {
    # Windows PowerShell takes a line on the standard error output for a failure, unless it is told not to.
    $ErrorActionPreference = "Continue"
    $Output = & $Program @Arguments 2>&1
    if ($LASTEXITCODE -ne 0) {
        throw "$Program $($Arguments -join ' ') failed with exit code ${LASTEXITCODE}: $Output"
    }
}

function Get-FullPath([string]$Path) {
    # From here; the service itself is in System32.
    return [IO.Path]::GetFullPath([IO.Path]::Combine((Get-Location).ProviderPath, $Path))
}

# Accounts are known by number, since their names are translated: the system, administrators, the accounts of services, who made or
# owns a file, and who runs this.
$Trusted = @("S-1-5-18", "S-1-5-32-544", "S-1-5-19", "S-1-5-20", "S-1-3-0", "S-1-3-4", [Security.Principal.WindowsIdentity]::GetCurrent().User.Value)
$SidType = [Security.Principal.SecurityIdentifier]
# Write or add a file, delete what is in it, delete, give rights, take ownership, everything, write.
$ChangingRights = 0x2 -bor 0x40 -bor 0x10000 -bor 0x40000 -bor 0x80000 -bor 0x10000000 -bor 0x40000000

function Test-Trusted([string]$Sid) {
    return ($Trusted -contains $Sid) -or ($Sid -like "S-1-5-80-*") -or ($Sid -match '^S-1-5-21-[0-9-]+-(500|512|519)$')
}

# The accounts besides those that can change a file or folder, its owner included.
function Get-Strangers([string]$Path) {
    $Acl = Get-Acl -LiteralPath $Path
    $Able = @($Acl.GetOwner($SidType).Value)
    foreach ($Rule in $Acl.GetAccessRules($true, $true, $SidType)) {
        $IsForLater = ([int]$Rule.PropagationFlags -band [int][Security.AccessControl.PropagationFlags]::InheritOnly) -ne 0
        $IsChange = ([int]$Rule.FileSystemRights -band $ChangingRights) -ne 0
        if ($IsChange -and -not $IsForLater -and $Rule.AccessControlType -eq "Allow") {
            $Able += $Rule.IdentityReference.Value
        }
    }
    return @($Able | Where-Object { -not (Test-Trusted $_) } | Select-Object -Unique)
}

function Assert-Own($Item) {
    $Owner = (Get-Acl -LiteralPath $Item.FullName).GetOwner($SidType).Value
    $IsLink = ([int]$Item.Attributes -band [int][IO.FileAttributes]::ReparsePoint) -ne 0
    if ($IsLink -or -not (Test-Trusted $Owner)) {
        throw "$($Item.FullName) is a link, or was not made by an administrator (its owner is $Owner), and may hold what somebody else put there. Look at it, then remove it, or take it over as docs/windows.md says, and try again."
    }
}

function Protect-Directory([string]$Path) {
    # Every user may make folders in ProgramData. One made beforehand stays its maker's, whatever rights it is given: it is refused.
    if (-not (Test-Path -LiteralPath $Path)) {
        New-Item -ItemType Directory -Path $Path | Out-Null
    }
    Assert-Own (Get-Item -LiteralPath $Path -Force)
    Invoke-Checked "icacls.exe" @($Path, "/inheritance:r", "/grant:r", "*S-1-5-18:(OI)(CI)F", "*S-1-5-32-544:(OI)(CI)F")
    # Nobody else puts anything in from now on; what is there already is looked at.
    Get-ChildItem -LiteralPath $Path -Recurse -Force | ForEach-Object { Assert-Own $_ }
}

# Where the service finds a secret: in a file of this script's, or in the one that -Variables names. Empty: nowhere.
function Get-SecretFile([string]$Variable, [string]$Parameter, [string]$Secret) {
    if ([string]$Variables[$Variable] -ne "") {
        throw "Give $Parameter SECRET instead of the variable ${Variable}: every user can read the variables of a service."
    }
    $Given = [string]$Variables[$Variable + "_FILE"]
    if ($Given -ne "" -and $Secret -ne "") {
        throw "Give $Parameter or the variable ${Variable}_FILE, not both."
    }
    if ($Given -ne "") {
        return Get-FullPath $Given
    }
    if ($Secret -ne "" -and $Secret -notmatch '^[\x20-\x7e]+$') {
        throw "${Parameter}: a secret is one line of printable ASCII characters."
    }
    $Own = Join-Path $DataDirectory "$ServiceName.$($Variable.ToLowerInvariant().Replace('modelrelay_', '').Replace('_', '-'))"
    if ($Secret -ne "" -or (Test-Path -LiteralPath $Own)) {
        return $Own
    }
    return ""
}

$Identity = [Security.Principal.WindowsPrincipal][Security.Principal.WindowsIdentity]::GetCurrent()
if (-not $Identity.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
    throw "Services are installed by administrators: start PowerShell with 'Run as administrator' and try again."
}

$Existing = Get-Service -Name $ServiceName -ErrorAction SilentlyContinue

if ($Uninstall) {
    if ($null -eq $Existing) {
        throw "$ServiceName is not installed."
    }
    # Waits while running requests finish.
    Stop-Service -Name $ServiceName
    # A service that somebody holds on to is only marked for being deleted.
    $Existing.Close()
    Invoke-Checked "sc.exe" @("delete", $ServiceName)
    # The source belongs to all services of the kind.
    $Others = Get-Service -Name $EventSource, "$EventSource-*" -ErrorAction SilentlyContinue | Where-Object { $_.Name -ne $ServiceName }
    if ($null -eq $Others) {
        Remove-Item -LiteralPath $EventKey -Recurse -ErrorAction SilentlyContinue
    }
    Remove-NetFirewallRule -DisplayName $FirewallRule -ErrorAction SilentlyContinue
    foreach ($Secret in @("worker-secret", "admin-token")) {
        Remove-Item -LiteralPath (Join-Path $DataDirectory "$ServiceName.$Secret") -ErrorAction SilentlyContinue
    }
    Write-Host "$ServiceName is gone. Keys stay in $DataDirectory."
    return
}

$Executable = Get-FullPath $Executable
if (-not (Test-Path -LiteralPath $Executable -PathType Leaf)) {
    throw "There is no $Executable. Put the executable there, or give -Executable PATH."
}
$SecretFile = Get-SecretFile "WORKER_SECRET" "-WorkerSecret" $WorkerSecret
if ($SecretFile -eq "") {
    throw "Give -WorkerSecret SECRET, the same as on the workers."
}
$TokenFile = Get-SecretFile "MODELRELAY_ADMIN_TOKEN" "-AdminToken" $AdminToken
$Port = [int]($Listen -split ":")[-1]
if ($OpenFirewall -and $Listen -match '^((127\.[0-9.]+|localhost|\[::1\]):)?[0-9]+$') {
    throw "-OpenFirewall: other machines do not reach $Listen, with or without a rule. Give -Listen 0.0.0.0:$Port too."
}

# Closed before anything is put in, so that no secret is there for others to read, not even for a moment.
Protect-Directory $DataDirectory
if ($WorkerSecret -ne "") {
    Set-Content -LiteralPath $SecretFile -Value $WorkerSecret -Encoding Ascii
}
if ($AdminToken -ne "") {
    Set-Content -LiteralPath $TokenFile -Value $AdminToken -Encoding Ascii
}
# Variables of this service alone. Those of the machine would be seen by every program on it.
$Environment = @{
    LISTEN_ADDR = $Listen
    MODELRELAY_DATA_DIR = (Join-Path $DataDirectory "server")
}
if ($LogFile -ne "") {
    $Environment["LOG_FILE"] = Get-FullPath $LogFile
}
foreach ($Variable in $Variables.Keys) {
    $Environment[$Variable] = $Variables[$Variable]
}

# Files of secrets are flags, which win over variables: an earlier installation may have left the secrets themselves in the machine's.
$BinaryPath = "`"$Executable`" $Command --worker-secret-file `"$SecretFile`""
if ($TokenFile -ne "") {
    $BinaryPath += " --admin-token-file `"$TokenFile`""
}
if ($null -eq $Existing) {
    New-Service -Name $ServiceName -BinaryPathName $BinaryPath -DisplayName $DisplayName -Description $Description -StartupType Automatic | Out-Null
} else {
    Stop-Service -Name $ServiceName
    Set-ItemProperty -LiteralPath $ServiceKey -Name "ImagePath" -Value $BinaryPath -Type ExpandString
}
# Started after what has to be there at once.
Invoke-Checked "sc.exe" @("config", $ServiceName, "start=", "delayed-auto")
Invoke-Checked "sc.exe" @("failure", $ServiceName, "reset=", "86400", "actions=", "restart/5000/restart/5000/restart/60000")
# An end with an exit code is a failure too, not only a crash.
Invoke-Checked "sc.exe" @("failureflag", $ServiceName, "1")
$Lines = [string[]]@($Environment.GetEnumerator() | ForEach-Object { "$($_.Key)=$($_.Value)" })
New-ItemProperty -LiteralPath $ServiceKey -Name "Environment" -PropertyType MultiString -Value $Lines -Force | Out-Null

# EventCreate.exe has messages that are just the text given, so the Event Viewer shows lines as they are.
if (-not (Test-Path -LiteralPath $EventKey)) {
    New-Item -Path $EventKey | Out-Null
}
New-ItemProperty -LiteralPath $EventKey -Name "EventMessageFile" -PropertyType ExpandString -Value "%SystemRoot%\System32\EventCreate.exe" -Force | Out-Null
New-ItemProperty -LiteralPath $EventKey -Name "TypesSupported" -PropertyType DWord -Value 7 -Force | Out-Null

if ($OpenFirewall) {
    Remove-NetFirewallRule -DisplayName $FirewallRule -ErrorAction SilentlyContinue
    New-NetFirewallRule -DisplayName $FirewallRule -Direction Inbound -Protocol TCP -LocalPort $Port -Action Allow | Out-Null
}
foreach ($Path in @($Executable, (Split-Path -Parent $Executable))) {
    $Strangers = @(Get-Strangers $Path)
    if ($Strangers.Count -gt 0) {
        Write-Warning "$Path can be changed by others than administrators ($($Strangers -join ', ')), and the service runs it as the system. Put it below $env:ProgramFiles, or close its folder as docs/windows.md says."
        break
    }
}

$LogCommand = "Get-WinEvent -FilterHashtable @{LogName='Application'; ProviderName='$EventSource'} -MaxEvents 50"
try {
    Start-Service -Name $ServiceName
} catch {
    throw "$ServiceName is installed, but does not start ($_). Its last words: $LogCommand"
}
# By then a port that is taken has ended it.
Start-Sleep -Seconds 2
if ((Get-Service -Name $ServiceName).Status -ne "Running") {
    throw "$ServiceName is installed and was started, but has ended. Its last words: $LogCommand"
}
Get-Service -Name $ServiceName
Write-Host "Log: $LogCommand"
