# Answers completion questions in fish: reads lines, writes what would be offered.
source $argv[1]
while read --local --null line
    complete -C $line
    printf '\001'
end
