
while read -r name; do
    check "$name"
done < /checks
echo DONE
