<#
.SYNOPSIS
Installs the relay as the Windows service ModelRelayServer, or removes it.

.DESCRIPTION
Run it in a PowerShell that was started as administrator. What is given again replaces what was installed before.

.EXAMPLE
.\install-windows-service.ps1 -WorkerSecret (Read-Host "Worker secret") -Listen 0.0.0.0:8080 -OpenFirewall

.EXAMPLE
.\install-windows-service.ps1 -Uninstall
#>
[CmdletBinding()]
param(
    # The executable: modelrelay.exe, or its copy under the old name modelrelay-server.exe.
    [string]$Executable = "C:\ModelRelay\modelrelay.exe",
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
$ServiceName = "ModelRelayServer"
$Command = "serve"
$DisplayName = "ModelRelay relay"
$Description = "Takes requests to language models and gives them to workers."
$DataDirectory = Join-Path $env:ProgramData "modelrelay"
$ServiceKey = "HKLM:\SYSTEM\CurrentControlSet\Services\$ServiceName"
$EventKey = "HKLM:\SYSTEM\CurrentControlSet\Services\EventLog\Application\$ServiceName"
$FirewallRule = "ModelRelay relay"

function Invoke-Checked([string]$Program, [string[]]$Arguments) {
    $Output = & $Program @Arguments 2>&1
    if ($LASTEXITCODE -ne 0) {
        throw "$Program $($Arguments -join ' ') failed with exit code ${LASTEXITCODE}: $Output"
    }
}

function Write-SecretFile([string]$Path, [string]$Secret) {
    # Made empty and closed off first, so that the secret is never there for others to read. The accounts are given by number,
    # since their names are translated: S-1-5-18 is the system, S-1-5-32-544 are the administrators.
    Set-Content -LiteralPath $Path -Value "" -Encoding Ascii
    Invoke-Checked "icacls.exe" @($Path, "/inheritance:r", "/grant:r", "*S-1-5-18:R", "*S-1-5-32-544:F")
    Set-Content -LiteralPath $Path -Value $Secret -Encoding Ascii
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
    Invoke-Checked "sc.exe" @("delete", $ServiceName)
    Remove-Item -LiteralPath $EventKey -Recurse -ErrorAction SilentlyContinue
    Remove-NetFirewallRule -DisplayName $FirewallRule -ErrorAction SilentlyContinue
    foreach ($Secret in @("worker-secret", "admin-token")) {
        Remove-Item -LiteralPath (Join-Path $DataDirectory "$ServiceName.$Secret") -ErrorAction SilentlyContinue
    }
    Write-Host "$ServiceName is gone. Keys stay in $DataDirectory."
    return
}

if (-not (Test-Path -LiteralPath $Executable -PathType Leaf)) {
    throw "There is no $Executable. Put the executable there, or give -Executable PATH."
}
$SecretFile = Join-Path $DataDirectory "$ServiceName.worker-secret"
if ($WorkerSecret -eq "" -and -not (Test-Path -LiteralPath $SecretFile)) {
    throw "Give -WorkerSecret SECRET, the same as on the workers."
}

New-Item -ItemType Directory -Path $DataDirectory -Force | Out-Null
if ($WorkerSecret -ne "") {
    Write-SecretFile $SecretFile $WorkerSecret
}
# Variables of this service alone. Those of the machine would be seen by every program on it.
$Environment = @{
    LISTEN_ADDR = $Listen
    WORKER_SECRET_FILE = $SecretFile
    MODELRELAY_DATA_DIR = (Join-Path $DataDirectory "server")
}
$TokenFile = Join-Path $DataDirectory "$ServiceName.admin-token"
if ($AdminToken -ne "") {
    Write-SecretFile $TokenFile $AdminToken
}
if (Test-Path -LiteralPath $TokenFile) {
    $Environment["MODELRELAY_ADMIN_TOKEN_FILE"] = $TokenFile
}
if ($LogFile -ne "") {
    $Environment["LOG_FILE"] = $LogFile
}
foreach ($Variable in $Variables.Keys) {
    $Environment[$Variable] = $Variables[$Variable]
}

$BinaryPath = "`"$Executable`" $Command"
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
    $Port = [int]($Listen -split ":")[-1]
    New-NetFirewallRule -DisplayName $FirewallRule -Direction Inbound -Protocol TCP -LocalPort $Port -Action Allow | Out-Null
}

Start-Service -Name $ServiceName
Get-Service -Name $ServiceName
Write-Host "Log: Get-EventLog -LogName Application -Source $ServiceName -Newest 50"
