<#
.SYNOPSIS
Installs a worker as the Windows service ModelRelayWorker, or removes it.

.DESCRIPTION
Run it in a PowerShell that was started as administrator. What is given again replaces what was installed before.

.EXAMPLE
.\install-windows-service-worker.ps1 -ProxyUrl http://your-proxy:8080 -WorkerSecret (Read-Host "Worker secret") -Models llama3-8b

.EXAMPLE
.\install-windows-service-worker.ps1 -Uninstall

.EXAMPLE
.\install-windows-service-worker.ps1 -Name gpu1 -ProxyUrl http://your-proxy:8080 -BackendUrl http://127.0.0.1:8001
#>
[CmdletBinding()]
param(
    # The executable: modelrelay.exe, or its copy under the old name modelrelay-worker.exe.
    [string]$Executable = "C:\ModelRelay\modelrelay.exe",
    # For a second worker on this machine: the service is ModelRelayWorker-NAME then.
    [string]$Name = "",
    [string]$ProxyUrl = "http://127.0.0.1:8080",
    [string]$BackendUrl = "http://127.0.0.1:8000",
    # Unset, the backend is asked.
    [string]$Models = "",
    # The relay's worker secret. It goes into a file that only the system and administrators may read.
    [string]$WorkerSecret = "",
    # The backend's own key, if it wants one; kept the same way.
    [string]$BackendApiKey = "",
    [string]$LogFile = "",
    # Settings besides those above, as variables of the service alone: -Variables @{ MAX_CONCURRENCY = "4" }
    [hashtable]$Variables = @{},
    [switch]$Uninstall
)

$ErrorActionPreference = "Stop"
if ($Name -ne "" -and $Name -notmatch "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$") {
    throw "-Name is made of letters, digits, - and _."
}
$EventSource = "ModelRelayWorker"
$ServiceName = if ($Name -eq "") { "ModelRelayWorker" } else { "ModelRelayWorker-$Name" }
$Command = "work"
$DisplayName = "ModelRelay worker $Name".Trim()
$Description = "Connects the model server of this machine to a relay."
$DataDirectory = Join-Path $env:ProgramData "modelrelay"
$ServiceKey = "HKLM:\SYSTEM\CurrentControlSet\Services\$ServiceName"
$EventKey = "HKLM:\SYSTEM\CurrentControlSet\Services\EventLog\Application\$EventSource"

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
    # The source belongs to all workers of the machine.
    if ($null -eq (Get-Service -Name "ModelRelayWorker*" -ErrorAction SilentlyContinue)) {
        Remove-Item -LiteralPath $EventKey -Recurse -ErrorAction SilentlyContinue
    }
    foreach ($Secret in @("worker-secret", "backend-api-key")) {
        Remove-Item -LiteralPath (Join-Path $DataDirectory "$ServiceName.$Secret") -ErrorAction SilentlyContinue
    }
    Write-Host "$ServiceName is gone."
    return
}

if (-not (Test-Path -LiteralPath $Executable -PathType Leaf)) {
    throw "There is no $Executable. Put the executable there, or give -Executable PATH."
}
$SecretFile = Join-Path $DataDirectory "$ServiceName.worker-secret"
if ($WorkerSecret -eq "" -and -not (Test-Path -LiteralPath $SecretFile)) {
    throw "Give -WorkerSecret SECRET, the same as on the relay."
}

New-Item -ItemType Directory -Path $DataDirectory -Force | Out-Null
if ($WorkerSecret -ne "") {
    Write-SecretFile $SecretFile $WorkerSecret
}
# Variables of this service alone. Those of the machine would be seen by every program on it.
$Environment = @{
    PROXY_URL = $ProxyUrl
    BACKEND_URL = $BackendUrl
    WORKER_SECRET_FILE = $SecretFile
    WORKER_NAME = $(if ($Name -eq "") { $env:COMPUTERNAME } else { "$env:COMPUTERNAME-$Name" })
}
$KeyFile = Join-Path $DataDirectory "$ServiceName.backend-api-key"
if ($BackendApiKey -ne "") {
    Write-SecretFile $KeyFile $BackendApiKey
}
if (Test-Path -LiteralPath $KeyFile) {
    $Environment["BACKEND_API_KEY_FILE"] = $KeyFile
}
if ($Models -ne "") {
    $Environment["MODELS"] = $Models
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

Start-Service -Name $ServiceName
Get-Service -Name $ServiceName
Write-Host "Log: Get-EventLog -LogName Application -Source $EventSource -Newest 50"
