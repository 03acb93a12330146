# Answers completion questions in bash without a terminal: reads lines as COMP_LINE TAB COMP_CWORD TAB words..., writes what would be offered.
# shellcheck shell=bash
exec 3>&1
paths=

# Outside of the line editor there is none; what it is asked to do is done here.
compopt() {
  if [[ "$*" == "-o default" ]]; then paths=1; fi
}

while IFS= read -r -d $'\001' line; do
  IFS= read -r -d $'\001' number
  COMP_WORDS=()
  for ((at = 0; at <= number; at++)); do
    IFS= read -r -d $'\001' word
    COMP_WORDS[at]=$word
  done
  COMP_LINE=$line COMP_POINT=${#line} COMP_CWORD=$number paths=
  COMPREPLY=()
  "$1" 2>&1
  if [[ -n $paths ]]; then
    current=${COMP_WORDS[COMP_CWORD]}
    if [[ $current == "=" ]]; then current=; fi
    for path in "$current"*; do
      if [[ -e $path ]]; then COMPREPLY[${#COMPREPLY[@]}]=$path; fi
    done
  fi
  for word in ${COMPREPLY[@]+"${COMPREPLY[@]}"}; do printf '%s\002' "$word"; done
  printf '\001'
done
